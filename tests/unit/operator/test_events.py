import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from quorate.verdict import Reason
from quorate_operator.effects.api_server import ApiUnavailable
from quorate_operator.effects.events import (
    BURST,
    PER_OBJECT,
    POSTED_MAX,
    QUIET_SECONDS,
    Bucket,
    Events,
    event_name,
)
from quorate_operator.kinds import EVENT, POD, Key
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.actions import EmitEvent, Target
from quorate_operator.reconcile.texts import clipped_to_bytes
from tests.fakes.vouching import NOW
from tests.unit.operator.fake_api import FakeApi, FixedClock, Holding, Monotonic


class Scene:
    """Events on an API server in memory."""

    def __init__(self, *, held: bool = True) -> None:
        self.api = FakeApi()
        self.monotonic = Monotonic()
        self.metrics = Metrics(CollectorRegistry())
        self.events = Events(
            self.api, Holding(held=held), "op-0", FixedClock(NOW), self.monotonic, self.metrics
        )

    def count(self, outcome: str) -> float:
        """How often an outcome was counted."""
        name = "quorate_operator_events_total"
        return self.metrics.registry.get_sample_value(name, {"outcome": outcome}) or 0.0


def event(
    note: str = "no certificate", name: str = "chat", reason: str = "GateFailed"
) -> EmitEvent:
    """An Event about a pod."""
    target = Target(Key(POD.name, "team-a", name), f"uid-{name}", "v1")
    return EmitEvent(target, "Warning", reason, note, "Release")


@pytest.mark.requirement("C8: Events events.k8s.io/v1, reasons from an enum")
async def test_event_says_what_it_is_about() -> None:
    """Object, incarnation, reason and note, in the new API."""
    scene = Scene()
    await scene.events.emit(event())
    (written,) = scene.api.objects.values()
    assert written["apiVersion"] == "events.k8s.io/v1"
    assert written["regarding"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": "team-a",
        "name": "chat",
        "uid": "uid-chat",
    }
    assert (written["reason"], written["note"]) == ("GateFailed", "no certificate")
    assert written["reportingController"] == "quorate.dev/quorate-operator"


async def test_a_long_note_is_cut_to_the_bytes_that_are_taken() -> None:
    """The API server counts bytes and refuses the whole Event: the ellipsis itself has three."""
    for note in ("x" * 2_000, "ü" * 700, "€" * 1_000):
        scene = Scene()
        await scene.events.emit(event(note))
        (written,) = scene.api.objects.values()
        assert 1_020 < len(written["note"].encode()) <= 1_024
        assert written["note"].endswith("…")
    assert clipped_to_bytes("ü" * 512, 1_024) == "ü" * 512


def test_every_reason_is_one_stable_word() -> None:
    """Reasons are PascalCase words that fit into an Event."""
    for reason in Reason:
        assert reason.value.isalnum()
        assert reason.value[0].isupper()
        assert len(reason.value) <= 128


@pytest.mark.requirement("C8: Events are rate-limited")
async def test_the_same_is_said_once_in_a_while() -> None:
    """A repeat within the quiet time is not written; later it is one more of a series."""
    scene = Scene()
    for _ in range(5):
        await scene.events.emit(event())
    assert (scene.count("written"), scene.count("suppressed")) == (1, 4)
    scene.monotonic.time += QUIET_SECONDS
    await scene.events.emit(event())
    (written,) = scene.api.objects.values()
    assert written["series"]["count"] == 2
    assert scene.count("repeated") == 1


async def test_restart_repeats_what_was_said_before() -> None:
    """The name is the same, so a new process adds to the series instead of failing."""
    scene, again = Scene(), Scene()
    await scene.events.emit(event())
    again.api.objects = scene.api.objects
    await again.events.emit(event())
    assert len(again.api.objects) == 1
    assert again.count("repeated") == 1


@pytest.mark.requirement("C8: Events are rate-limited")
async def test_one_object_cannot_flood() -> None:
    """Notes that differ each time are bounded too, by object and over all."""
    scene = Scene()
    for index in range(PER_OBJECT + 5):
        await scene.events.emit(event(note=str(index)))
    assert scene.count("written") == PER_OBJECT
    for index in range(int(BURST) + 50):
        await scene.events.emit(event(name=f"pod-{index}"))
    assert scene.count("written") == BURST


async def test_what_cannot_be_written_is_counted_and_not_raised() -> None:
    """An Event informs; that it could not be written stops no work."""
    scene = Scene()

    def fault(method: str, path: str) -> None:
        raise ApiUnavailable("away")

    scene.api.fault = fault
    await scene.events.emit(event())
    assert scene.count("failed") == 1


async def test_nothing_is_written_without_the_lease() -> None:
    """A process that may not be alone says nothing."""
    scene = Scene(held=False)
    await scene.events.emit(event())
    assert scene.api.objects == {}
    assert scene.count("failed") == 1


async def test_posting_never_waits_and_is_bounded() -> None:
    """What is posted is written by and by; a flood beyond the bound is dropped and counted."""
    scene = Scene()
    for index in range(POSTED_MAX + 5):
        scene.events.post(event(name=f"pod-{index}"))
    assert scene.count("suppressed") == 5
    writing = asyncio.create_task(scene.events.run())
    async with asyncio.timeout(20):
        while scene.count("written") + scene.count("suppressed") < POSTED_MAX + 5:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    writing.cancel()
    assert scene.count("written") == BURST


@given(st.text(max_size=300), st.text(max_size=2000))
def test_names_are_bounded_and_differ_by_what_is_said(name: str, note: str) -> None:
    """Property: a name fits into a DNS subdomain's length, and another note has another name."""
    made = event_name(event(note=note, name=name))
    assert len(made) <= 253
    assert made != event_name(event(note=note + "x", name=name))


def test_bucket_refills_with_time() -> None:
    """A burst empties it, time fills it up to its size and no further."""
    bucket = Bucket(2.0, 4.0)
    assert [bucket.take(10.0) for _ in range(5)] == [True] * 4 + [False]
    assert [bucket.take(10.5), bucket.take(10.5)] == [True, False]
    assert [bucket.take(1000.0) for _ in range(5)] == [True] * 4 + [False]


def test_paths_of_events() -> None:
    """Events of the new API are in their own group."""
    assert EVENT.path("team-a", "x") == "/apis/events.k8s.io/v1/namespaces/team-a/events/x"
