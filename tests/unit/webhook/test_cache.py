"""The cache: in step with the API server whatever happens, and honest about when it is not."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from quorate.admission.store import Store
from quorate.errors import Unavailable
from quorate_webhook.cache import reflector
from quorate_webhook.cache.bound_pods import BoundPods
from quorate_webhook.cache.cache import Cache, build_cache
from quorate_webhook.cache.client import Refused
from quorate_webhook.cache.kinds import CLUSTER_POLICY, KINDS, MODEL, POD, POLICY, Kind
from quorate_webhook.cache.pending_pods import PendingPods
from tests.fakes.vouching import NOW, attested_model, policy
from tests.unit.admission.pod_builder import PodBuilder
from tests.unit.admission.world import FILES, FLOOR, World, good_world, injection_config

Document = dict[str, Any]
WORLD = good_world()


class ApiServer:
    """A fake one: objects by kind, watches fed by the test, failures on demand."""

    def __init__(self) -> None:
        self.objects: dict[str, list[Document]] = {kind.name: [] for kind in KINDS}
        self.version = 10
        self.lists: list[tuple[str, str]] = []
        self.watches: list[tuple[str, str]] = []
        self.fail_list: dict[str, Exception] = {}
        self.fail_watch: dict[str, Exception] = {}
        self.lines: dict[str, asyncio.Queue[bytes | None]] = {
            k.name: asyncio.Queue() for k in KINDS
        }
        self.page = 2

    async def list(self, kind: Kind, continue_: str) -> bytes:
        self.lists.append((kind.name, continue_))
        if error := self.fail_list.pop(kind.name, None):
            raise error
        start = int(continue_ or 0)
        found = self.objects[kind.name]
        end = start + self.page
        metadata = {"resourceVersion": str(self.version)}
        if end < len(found):
            metadata["continue"] = str(end)
        return json.dumps({"metadata": metadata, "items": found[start:end]}).encode()

    async def watch(self, kind: Kind, version: str) -> AsyncGenerator[bytes, None]:
        self.watches.append((kind.name, version))
        if error := self.fail_watch.pop(kind.name, None):
            raise error
        yield b""
        while (line := await self.lines[kind.name].get()) is not None:
            yield line

    def send(self, kind: Kind, type_: str, document: Document) -> None:
        """One watch event."""
        self.version += 1
        document.setdefault("metadata", {})["resourceVersion"] = str(self.version)
        line = json.dumps({"type": type_, "object": document}).encode() + b"\n"
        self.lines[kind.name].put_nowait(line)

    def end(self, kind: Kind) -> None:
        """The API server ends the watch."""
        self.lines[kind.name].put_nowait(None)


class Meter:
    """Counts."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.refusals: list[str] = []

    def failed(self, kind: Kind) -> None:
        self.failures.append(kind.name)

    def refused(self, kind: Kind) -> None:
        self.refusals.append(kind.name)


class Setting:
    """A cache on a fake API server, with a clock of its own."""

    def __init__(self) -> None:
        genesis = WORLD.committee.genesis
        config = injection_config(genesis.digest_text)
        self.api = ApiServer()
        self.meter = Meter()
        self.time = 100.0
        self.store = Store(config, WORLD.committee.history)
        self.pods = PendingPods(config)
        self.strangers = 0
        self.cache: Cache = build_cache(
            self.store,
            self.pods,
            self.api,
            self.meter,
            now=lambda: NOW,
            monotonic=lambda: self.time,
            stranger=self.stranger,
        )

    def stranger(self) -> None:
        self.strangers += 1

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        async with self.cache.following():
            async with asyncio.timeout(5):
                await self.cache.synced()
            yield


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Setting:
    monkeypatch.setattr(reflector, "BACKOFF_SECONDS", (0.001, 0.01))
    return Setting()


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - whatever the condition looks at, it has no event
            await asyncio.sleep(0.002)


def model(name: str = "demo") -> Document:
    compiled = next(iter(WORLD.policies.values()))
    document = attested_model(FILES, name=name)
    certificates = [WORLD.certificate(compiled, model=name)]
    document["status"] = {"observedGeneration": 1, "certificates": certificates}
    document["metadata"]["resourceVersion"] = "1"
    return document


def pod(name: str = "p", uid: str = "u") -> Document:
    found = PodBuilder(WORLD.snapshot).released().build()
    found["metadata"] |= {"name": name, "uid": uid, "resourceVersion": "1", "managedFields": [{}]}
    return found | {"status": {"phase": "Pending"}}


@pytest.mark.requirement("readiness only with synced caches")
async def test_ready_only_when_every_kind_was_listed(setting: Setting) -> None:
    """One kind that cannot be listed keeps everything from being decided."""
    setting.api.fail_list[MODEL.name] = Refused(403, "forbidden")
    assert len(setting.cache.not_ready()) == len(KINDS)
    assert "not listed yet" in setting.cache.world().not_ready
    async with setting.following():
        assert setting.cache.not_ready() == []
        assert setting.cache.world().not_ready == ""
        assert setting.meter.failures == [MODEL.name]


async def test_lists_are_read_in_pages(setting: Setting) -> None:
    """All pages of a list are taken in, and the watch begins where the list was."""
    setting.api.objects[MODEL.name] = [model(f"m{i}") for i in range(5)]
    async with setting.following():
        assert [c for kind, c in setting.api.lists if kind == MODEL.name] == ["", "2", "4"]
        assert len(setting.cache.world().snapshot.models) == 5
        await eventually(lambda: (MODEL.name, "10") in setting.api.watches)
        assert setting.cache.counts()[MODEL.name] == 5


async def test_watch_events_change_the_world(setting: Setting) -> None:
    """Added, modified and deleted objects of every kind are followed."""
    async with setting.following():
        setting.api.send(CLUSTER_POLICY, "ADDED", policy(FLOOR))
        setting.api.send(POLICY, "ADDED", policy({}, name="own", namespace="team-a"))
        setting.api.send(MODEL, "ADDED", model())
        setting.api.send(POD, "ADDED", pod())
        counts = {"ClusterSafetyPolicy": 1, "SafetyPolicy": 1, "AttestedModel": 1, "Pod": 1}
        await eventually(lambda: counts.items() <= setting.cache.counts().items())
        broken = policy(FLOOR)
        broken["spec"] = {}
        setting.api.send(CLUSTER_POLICY, "MODIFIED", broken)
        setting.api.send(POLICY, "DELETED", policy({}, name="own", namespace="team-a"))
        setting.api.send(MODEL, "DELETED", model())
        setting.api.send(POD, "DELETED", pod())
        await eventually(lambda: len(setting.cache.world().snapshot.policies.broken) == 1)
        gone = {"SafetyPolicy": 0, "AttestedModel": 0, "Pod": 0}
        await eventually(lambda: gone.items() <= setting.cache.counts().items())


async def test_a_watch_that_ends_is_begun_where_it_was(setting: Setting) -> None:
    """Neither listed again nor from the beginning: from the last event or bookmark."""
    async with setting.following():
        setting.api.send(MODEL, "BOOKMARK", {"kind": "AttestedModel"})
        setting.api.end(MODEL)
        await eventually(lambda: (MODEL.name, "11") in setting.api.watches)
        assert len([kind for kind, _ in setting.api.lists if kind == MODEL.name]) == 1
        assert setting.meter.failures == []


@pytest.mark.parametrize("where", ["event", "answer"])
async def test_changes_that_are_gone_make_a_new_list(setting: Setting, where: str) -> None:
    """After a 410 the list is read again; what it no longer holds is forgotten."""
    setting.api.objects[MODEL.name] = [model("a"), model("b")]
    async with setting.following():
        setting.api.objects[MODEL.name] = [model("b"), model("c")]
        if where == "event":
            gone = {"kind": "Status", "code": 410, "message": "too old"}
            line = json.dumps({"type": "ERROR", "object": gone}).encode()
            setting.api.lines[MODEL.name].put_nowait(line)
        else:
            setting.api.fail_watch[MODEL.name] = Refused(410, "too old")
            setting.api.end(MODEL)
        await eventually(
            lambda: {name for _, name in setting.cache.world().snapshot.models} == {"b", "c"}
        )


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b'{"type":"ADDED"}',
        b'{"type":"\xff"}',
        b'{"type":"ADDED","object":{"metadata":{"name":"\xff"}}}',
        b'{"type":"ADDED","object":{}}',
        b'{"type":"SURPRISE","object":{"metadata":{"resourceVersion":"3"}}}',
        b'{"type":"ERROR","object":{"code":500,"message":"x"}}',
    ],
)
async def test_odd_lines_do_not_stop_the_watch(setting: Setting, line: bytes) -> None:
    """A line that cannot be read breaks the watch off, and it is begun again after a wait."""
    async with setting.following():
        setting.api.lines[POD.name].put_nowait(line)
        await eventually(lambda: POD.name in setting.meter.failures)
        setting.api.send(POD, "ADDED", pod())
        await eventually(lambda: len(setting.pods) == 1)


async def test_failures_are_waited_out(setting: Setting) -> None:
    """However often the API server fails, the watch comes back; what is known stays."""
    setting.api.objects[MODEL.name] = [model()]
    async with setting.following():
        for error in (Unavailable("refused"), Refused(500, "x"), Refused(401, "x")):
            before = len(setting.meter.failures)
            setting.api.fail_watch[MODEL.name] = error
            setting.api.end(MODEL)
            await eventually(partial(failed_more_than, setting, before))
            assert len(setting.cache.world().snapshot.models) == 1
        setting.api.send(MODEL, "ADDED", model("second"))
        await eventually(lambda: len(setting.cache.world().snapshot.models) == 2)


def failed_more_than(setting: Setting, count: int) -> bool:
    return len(setting.meter.failures) > count


@pytest.mark.requirement("nothing heard for longer than a bound → not ready and DENY")
async def test_silence_makes_it_unready(setting: Setting) -> None:
    """Hearing nothing about one kind is enough; hearing anything again is enough, too."""
    async with setting.following():
        assert setting.cache.world().not_ready == ""
        setting.time += 119
        assert setting.cache.not_ready() == []
        setting.time += 2
        assert len(setting.cache.not_ready()) == len(KINDS)
        assert "nothing heard for 121 s" in setting.cache.world().not_ready
        assert setting.cache.ages()[MODEL.name] == pytest.approx(121)
        for kind in KINDS:
            setting.api.send(kind, "BOOKMARK", {})
        await eventually(lambda: setting.cache.not_ready() == [])
        assert setting.cache.world().not_ready == ""


async def test_beginning_a_watch_anew_counts_as_hearing(setting: Setting) -> None:
    """An API server that accepts the watch has nothing to tell: that is an answer."""
    async with setting.following():
        setting.time += 200
        for kind in KINDS:
            setting.api.end(kind)
        await eventually(lambda: setting.cache.not_ready() == [])


async def test_unreadable_objects_deny_what_depends_on_them(setting: Setting) -> None:
    """A policy that cannot be taken in denies; a model is not there; a pod is not known."""
    setting.api.objects[CLUSTER_POLICY.name] = [policy(FLOOR) | {"spec": None}]
    bad_model = model()
    bad_model["spec"]["surprise"] = 1
    setting.api.objects[MODEL.name] = [bad_model]
    setting.api.objects[POD.name] = [pod() | {"spec": []}]
    async with setting.following():
        snapshot = setting.cache.world().snapshot
        assert [broken.ref for broken in snapshot.policies.broken] == ["ClusterSafetyPolicy/floor"]
        assert snapshot.models == {}
        assert len(setting.pods) == 0
        assert sorted(setting.meter.refusals) == ["AttestedModel", "Pod"]


async def test_a_policy_that_breaks_the_reader_denies(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a bug in reading a policy never makes the policy disappear."""

    def broken(*args: Any) -> Any:
        raise RecursionError("a bug")

    monkeypatch.setattr("quorate.admission.store.compile_policy", broken)
    setting.api.objects[POLICY.name] = [policy({}, name="own", namespace="team-a")]
    async with setting.following():
        broken_policies = setting.cache.world().snapshot.policies.broken
        assert [(b.ref, b.namespace) for b in broken_policies] == [
            ("SafetyPolicy/team-a/own", "team-a")
        ]
        assert "a bug" in broken_policies[0].message


async def test_a_list_read_again_verifies_nothing_again(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models whose version did not change are not verified a second time."""
    setting.api.objects[MODEL.name] = [model()]
    async with setting.following():

        def refuse(*args: Any) -> Any:
            raise AssertionError("verified again")

        monkeypatch.setattr("quorate.keys.PublicKey.verify", refuse)
        setting.api.fail_watch[MODEL.name] = Refused(410, "too old")
        setting.api.end(MODEL)
        listed = [MODEL.name, MODEL.name]
        await eventually(lambda: [k for k, _ in setting.api.lists if k == MODEL.name] == listed)
        await eventually(lambda: len(setting.cache.world().snapshot.models) == 1)
        assert setting.meter.refusals == []


async def test_an_error_of_a_watch_loop_ends_the_program(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug that stops following a kind must not go unnoticed."""

    async def bug(kind: Kind, continue_: str) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(setting.api, "list", bug)
    with pytest.raises(ExceptionGroup):
        async with setting.cache.following():
            await asyncio.sleep(5)


def test_pending_pods_keep_what_binding_needs() -> None:
    """Labels, uid and the whole spec come back; fields that only grow are dropped."""
    pods = PendingPods(injection_config(World().committee.genesis.digest_text))
    whole = pod("a", "uid-a")

    assert pods.put(("team-a", "a"), msgspec.Raw(json.dumps(whole).encode()))
    found = pods.find("team-a", "a", "uid-a")
    assert found is not None
    assert found["spec"] == whole["spec"]
    assert found["metadata"]["labels"] == whole["metadata"]["labels"]
    assert "managedFields" not in found["metadata"]
    assert pods.find("team-a", "a", "another") is None
    assert pods.find("team-a", "b", "") is None
    assert pods.find("team-b", "a", "") is None
    pods.remove(("team-a", "a"))
    assert pods.find("team-a", "a", "") is None
    assert len(pods) == 0


def test_pending_pods_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One pod too many stays unknown, and so is not bound."""

    monkeypatch.setattr("quorate.limits.PODS_PER_CLUSTER", 1)
    pods = PendingPods(injection_config(World().committee.genesis.digest_text))
    raw = msgspec.Raw(json.dumps(pod()).encode())
    assert pods.put(("n", "a"), raw)
    assert not pods.put(("n", "b"), raw)
    assert pods.put(("n", "a"), raw)
    assert list(pods.keys()) == [("n", "a")]


def test_bound_pods_keep_labels_and_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kind of container and image volume, and nothing else; bounded like the others."""
    monkeypatch.setattr("quorate.limits.PODS_PER_CLUSTER", 1)
    whole = {
        "metadata": {"uid": "u", "labels": {"a": "b"}},
        "spec": {
            "initContainers": [{"name": "i", "image": "init", "env": []}],
            "containers": [{"name": "c", "image": "main"}, {"name": "d", "image": "main"}],
            "ephemeralContainers": [{"name": "e", "image": "debug"}],
            "volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "image": {"reference": "r"}}],
            "nodeName": "n",
        },
    }
    pods = BoundPods()
    assert pods.put(("team-a", "a"), msgspec.Raw(json.dumps(whole).encode()))
    assert not pods.put(("team-a", "b"), msgspec.Raw(b"{}"))
    assert pods.find("team-a", "a", "u") == {
        "metadata": {"namespace": "team-a", "name": "a", "uid": "u", "labels": {"a": "b"}},
        "spec": {
            "containers": [{"image": "main"}, {"image": "init"}],
            "ephemeralContainers": [{"name": "e", "image": "debug"}],
            "volumes": [{"image": {"reference": "r"}}],
        },
    }
    assert pods.find("team-a", "a", "another") is None
    pods.remove(("team-a", "a"))
    assert (len(pods), pods.find("team-a", "a", "")) == (0, None)


async def test_a_certificate_of_an_unknown_epoch_is_told_of(setting: Setting) -> None:
    """One whose epochs are known is not."""
    document = model("late")
    compiled = next(iter(WORLD.policies.values()))
    epoch = WORLD.certificate(compiled, model="late", epoch=f"sha256:{'7' * 64}")
    document["status"] = {"observedGeneration": 1, "certificates": [epoch]}
    async with setting.following():
        assert setting.strangers == 0
        setting.api.send(MODEL, "ADDED", document)
        await eventually(lambda: setting.strangers == 1)
        setting.api.send(MODEL, "ADDED", model("other"))
        await eventually(lambda: len(setting.store.keys(MODEL.name)) == 2)
        assert setting.strangers == 1
