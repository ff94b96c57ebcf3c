import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from quorate import limits
from quorate.api.v1alpha1 import AttestedModel
from quorate.api.v1alpha1.document_source import DocumentSource, SourceField
from quorate.api.v1alpha1.meta import read
from quorate_operator.kinds import Key
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.actions import ApplyStatus, EmitEvent, Evaluate
from quorate_operator.sources import gatherer as module
from quorate_operator.sources.documents import Failed, Read, as_read
from quorate_operator.sources.gatherer import Gatherer
from tests.fakes import vouching
from tests.unit.operator.scene import FILES, MODEL, OWNER, PRODUCER, Scene

GATES = {"name": "gates", "configMap": {"name": "gates", "key": "envelope"}}
SIGNATURES = {
    "name": "registry",
    "ociReferrers": {"reference": f"ghcr.io/team/demo@sha256:{'b' * 64}"},
}
AWAY = Failed("RegistryUnavailable", "the registry is away")
BUNDLE = vouching.bundle(FILES, OWNER).encode()
GATE = vouching.gate_result(FILES, PRODUCER).encode()


class Reader:
    """Holds what each source holds."""

    def __init__(self) -> None:
        self.held: dict[SourceField, Read | Failed] = {
            SourceField.SIGNATURES: as_read([BUNDLE]),
            SourceField.EVIDENCE: as_read([GATE]),
        }
        self.asked = 0
        self.meanwhile: Any = None

    async def read(
        self, namespace: str, field: SourceField, source: DocumentSource
    ) -> Read | Failed:
        """What was set."""
        self.asked += 1
        await asyncio.sleep(0)
        if self.meanwhile is not None:
            change, self.meanwhile = self.meanwhile, None
            change()
        return self.held[field]


class SceneClock:
    """The scene's time."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def now(self) -> datetime:
        """What the scene says."""
        return self._scene.now


class Stand:
    """A scene whose model keeps everything outside, and its gatherer."""

    def __init__(self, scene: Scene | None = None) -> None:
        self.scene = scene or Scene()
        self.reader = Reader()
        self.followed: set[Key] = set()
        if scene is None:
            self.scene.floor()
            self.put()
        self.gatherer = Gatherer(
            self.scene.world,
            self.reader,
            self.followed.update,
            SceneClock(self.scene),
            Metrics(CollectorRegistry()),
            refresh=300.0,
        )

    def put(self, **changes: Any) -> None:
        """The model, with sources only."""
        sources = {"evidenceFrom": [GATES], "signaturesFrom": [SIGNATURES]}
        self.scene.model(**({"signatures": None, "evidence": None} | sources | changes))

    async def look(self) -> float:
        """Read the sources once."""
        again = await self.gatherer.look(MODEL)
        assert again is not None
        return again

    def asks(self) -> bool:
        """Whether the plan is to have the model judged."""
        return any(isinstance(action, Evaluate) for action in self.scene.plan().actions)

    def judged(self) -> None:
        """The member certifies, and the status is written."""
        assert self.asks()
        self.scene.approves()
        self.scene.settle()

    def restarted(self) -> "Stand":
        """A new process: it knows what the API server holds, and nothing else."""
        scene = Scene(now=self.scene.now, committee=self.scene.committee)
        for document in self.scene.documents.values():
            scene.put(document)
        return Stand(scene)


@pytest.fixture
def stand() -> Stand:
    """A model that was never looked at."""
    return Stand()


def relayed(stand: Stand) -> AttestedModel:
    """What the member is told of the model."""
    known = stand.scene.world.get(MODEL)
    assert known is not None
    return read(AttestedModel, known.relayed)


@pytest.mark.requirement("a model whose sources were not read is not judged")
async def test_a_model_is_judged_once_its_sources_were_read(stand: Stand) -> None:
    """Before that it is Unknown, and the member knows that something is missing."""
    assert relayed(stand).unread
    assert not stand.asks()
    stand.scene.settle()
    assert stand.scene.condition("SourcesRead") == ("Unknown", "VerificationPending")
    assert stand.scene.condition("Ready")[0] == "Unknown"
    # The API server refuses null for a text.
    assert all("fetchedAt" not in source for source in stand.scene.status["sources"])
    stand.scene.pending.clear()
    await stand.look()
    assert stand.followed == {MODEL}
    assert MODEL in stand.scene.pending.objects
    assert relayed(stand).unread == ()
    assert len(relayed(stand).spec.signatures) == len(relayed(stand).spec.evidence) == 1
    stand.judged()
    assert stand.scene.condition("SourcesRead") == ("True", "Fetched")
    assert stand.scene.condition("Ready")[0] == "True"
    assert [s["status"] for s in stand.scene.status["sources"]] == ["True", "True"]


async def test_another_reading_of_the_same_changes_nothing(stand: Stand) -> None:
    """The member is not told again, nobody judges again, no status is written."""
    await stand.look()
    stand.judged()
    stand.scene.pending.clear()
    stand.scene.now += timedelta(minutes=5)
    await stand.look()
    assert not stand.scene.pending.objects
    assert not stand.asks()
    assert not any(isinstance(a, ApplyStatus) for a in stand.scene.plan().actions)


@pytest.mark.requirement("a document that was added or withdrawn is judged at once")
async def test_a_changed_set_of_documents_is_judged_at_once(stand: Stand) -> None:
    """Although neither generation nor policy changed, and the certificate still lives."""
    await stand.look()
    stand.judged()
    newer = vouching.gate_result(FILES, PRODUCER).encode()
    stand.reader.held[SourceField.EVIDENCE] = as_read([GATE, newer])
    await stand.look()
    assert stand.asks()
    stand.scene.denies()
    stand.scene.settle()
    assert stand.scene.condition("Ready")[0] == "False"
    # So does a process that begins between the reading and the status.
    fresh = stand.restarted()
    assert not fresh.asks()
    fresh.reader.held = dict(stand.reader.held) | {SourceField.EVIDENCE: as_read([GATE])}
    await fresh.look()
    assert fresh.asks()


@pytest.mark.requirement("fault: what a source last held counts while it is away, with the reason")
async def test_a_registry_that_is_away_keeps_the_model_ready(stand: Stand) -> None:
    """The reason is in the status, in a condition and in one Event; renewal goes on."""
    await stand.look()
    stand.judged()
    stand.reader.held[SourceField.SIGNATURES] = AWAY
    again = await stand.look()
    assert again < module.RETRY_FIRST * 2
    assert not stand.asks()
    last = stand.scene.settle()
    (event,) = [a for a in last.actions if isinstance(a, EmitEvent)]
    assert (event.type, event.reason) == ("Warning", "RegistryUnavailable")
    assert stand.scene.condition("SourcesRead") == ("False", "RegistryUnavailable")
    assert stand.scene.condition("Ready")[0] == "True"
    stand.scene.now += timedelta(minutes=40)
    assert stand.asks()
    stand.scene.now += timedelta(seconds=limits.SOURCE_KEPT)
    await stand.look()
    assert relayed(stand).spec.signatures == []
    stand.reader.held[SourceField.SIGNATURES] = as_read([BUNDLE])
    await stand.look()
    assert len(relayed(stand).spec.signatures) == 1


@pytest.mark.requirement("fault: operator killed at each persistence point converges")
@pytest.mark.parametrize("killed", ["before reading", "after reading", "after the status"])
async def test_an_operator_that_is_killed_converges(stand: Stand, killed: str) -> None:
    """Wherever it ends, the next one reads, has judged and writes the same."""
    if killed != "before reading":
        await stand.look()
    if killed == "after the status":
        stand.judged()
    fresh = stand.restarted()
    assert relayed(fresh).unread
    assert not fresh.asks()
    await fresh.look()
    if killed != "after the status":
        fresh.judged()
    fresh.scene.settle()
    assert fresh.scene.condition("Ready")[0] == "True"
    assert fresh.scene.condition("SourcesRead")[0] == "True"


@pytest.mark.requirement("fault: an operator that has just begun revokes nothing it cannot read")
async def test_a_start_while_the_registry_is_away(stand: Stand) -> None:
    """The certificate counts until it ends; nobody judges without what cannot be read."""
    await stand.look()
    stand.judged()
    fresh = stand.restarted()
    fresh.reader.held[SourceField.SIGNATURES] = AWAY
    await fresh.look()
    assert relayed(fresh).unread == ("spec.signaturesFrom[registry]",)
    assert not fresh.asks()
    fresh.scene.settle()
    assert fresh.scene.condition("Ready")[0] == "True"
    assert fresh.scene.condition("SourcesRead") == ("Unknown", "RegistryUnavailable")
    fresh.scene.now += timedelta(hours=2)
    await fresh.look()
    fresh.scene.settle()
    assert fresh.scene.condition("Ready")[0] == "Unknown"
    fresh.scene.now += timedelta(seconds=limits.SOURCE_KEPT)
    await fresh.look()
    assert relayed(fresh).unread == ()
    assert fresh.asks()


async def test_a_source_that_was_never_read_denies(stand: Stand) -> None:
    """A model whose registry never answered is judged without it, and says why."""
    stand.reader.held[SourceField.SIGNATURES] = AWAY
    await stand.look()
    assert relayed(stand).unread == ()
    assert stand.asks()
    stand.scene.denies()
    stand.scene.settle()
    assert stand.scene.condition("SourcesRead") == ("False", "RegistryUnavailable")


async def test_a_model_that_changes_while_it_is_read(stand: Stand) -> None:
    """What was read of a source that is no longer named is dropped; new ones are read next."""
    other = {**GATES, "name": "other"}
    stand.reader.meanwhile = lambda: stand.put(evidenceFrom=[other])
    await stand.look()
    assert relayed(stand).unread == ("spec.evidenceFrom[other]",)
    await stand.look()
    assert relayed(stand).unread == ()


async def test_a_model_that_goes_while_it_is_read(stand: Stand) -> None:
    """Nothing is kept of it."""
    stand.reader.meanwhile = lambda: stand.scene.world.remove(MODEL)
    assert await stand.gatherer.look(MODEL) is None
    assert await stand.gatherer.look(MODEL) is None


async def test_models_without_sources_are_left_alone(stand: Stand) -> None:
    """They are judged as they were, and nothing is read."""
    stand.scene.model()
    stand.gatherer.noticed(MODEL)
    assert await stand.gatherer.look(MODEL) is None
    assert stand.reader.asked == 0
    assert stand.asks()


@pytest.mark.requirement("all caches bounded: hostile evidence of one namespace stays its own")
async def test_a_namespace_holds_so_much_at_most(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond it the model's sources count as not read, with a reason."""
    monkeypatch.setattr(module, "HELD_BYTES_PER_NAMESPACE", len(BUNDLE))
    await stand.look()
    assert relayed(stand).spec.signatures == []
    stand.scene.denies()
    stand.scene.settle()
    assert stand.scene.condition("SourcesRead") == ("False", "TooManyDocuments")


async def test_failures_are_tried_again_ever_later(stand: Stand) -> None:
    """Up to a bound; a success begins anew, and ConfigMaps are read more often."""
    stand.reader.held[SourceField.SIGNATURES] = AWAY
    waits = [await stand.look() for _ in range(12)]
    assert waits[0] < waits[3] < waits[5]
    assert max(waits) <= module.RETRY_MAX * (1 + module.JITTER)
    stand.reader.held[SourceField.SIGNATURES] = as_read([BUNDLE])
    assert await stand.look() >= module.REFRESH_CONFIG_MAPS_SECONDS * (1 - module.JITTER)


async def test_noticed_models_are_read(stand: Stand) -> None:
    """By the workers, once, until it is time again."""
    running = asyncio.create_task(stand.gatherer.run())
    stand.gatherer.noticed(MODEL)
    async with asyncio.timeout(5):
        while relayed(stand).unread:  # noqa: ASYNC110 - the world has no event to wait for
            await asyncio.sleep(0.001)
    stand.gatherer.noticed(MODEL)
    await asyncio.sleep(0.01)
    assert stand.reader.asked == 2
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
