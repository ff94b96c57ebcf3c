import asyncio
from datetime import UTC, datetime

import pytest

from quorate.errors import QuorateError
from quorate_operator.effects.api_server import ApiRefused, ApiUnavailable
from quorate_operator.kinds import LEASE, Key
from quorate_operator.lease import DURATION, Lease, LeaseLost, Sight, free, look, taken
from tests.unit.operator.fake_api import FakeApi, FixedClock, Monotonic

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KEY = Key(LEASE.name, "quorate-system", "quorate-operator")
PATH = LEASE.path(KEY.namespace, KEY.name)


def lease(api: FakeApi, monotonic: Monotonic, identity: str = "a") -> Lease:
    """One candidate."""
    return Lease(api, KEY, identity, FixedClock(NOW), monotonic)


@pytest.mark.parametrize(
    ("holder", "version", "waited", "expected"),
    [
        ("", "1", 0.0, True),
        ("me", "1", 0.0, True),
        ("other", "1", 0.0, False),
        ("other", "1", DURATION, False),
        ("other", "1", DURATION + 0.1, True),
        ("other", "2", DURATION + 0.1, False),
    ],
    ids=["nobody", "mine", "fresh", "at the bound", "abandoned", "renewed meanwhile"],
)
def test_who_may_take_a_lease(holder: str, version: str, waited: float, expected: bool) -> None:
    """A holder's time is counted from when its last renewal was seen, by the own clock."""
    first = {"metadata": {"resourceVersion": "1"}, "spec": {"holderIdentity": holder}}
    sight = look(first, None, 100.0)
    later = {"metadata": {"resourceVersion": version}, "spec": first["spec"]}
    now = 100.0 + waited
    assert free(later, "me", look(later, sight, now), now) is expected


def test_sight_keeps_the_first_time() -> None:
    """Looking again at the same version does not give its holder more time."""
    document = {"metadata": {"resourceVersion": "7"}}
    assert look(document, Sight("7", 5.0), 9.0) == Sight("7", 5.0)


def test_transitions_are_counted_when_the_holder_changes() -> None:
    """Renewals keep the time of acquisition; a new holder sets it and counts."""
    first = taken({"metadata": {}, "spec": {}}, "a", NOW)
    assert first["spec"]["leaseTransitions"] == 1
    again = taken(first, "a", NOW)
    assert again["spec"]["leaseTransitions"] == 1
    assert taken(again, "b", NOW)["spec"]["leaseTransitions"] == 2


@pytest.mark.requirement("operator: works under an own Lease")
async def test_only_one_of_two_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits until the first has let it run out, and the first then knows that it did."""
    api, monotonic = FakeApi(), Monotonic()
    first, second = lease(api, monotonic, "a"), lease(api, monotonic, "b")
    await first.acquire()
    assert first.held
    waited = 0

    async def sleep(seconds: float) -> None:
        nonlocal waited
        assert not second.held
        waited += 1
        monotonic.time += 10.0

    monkeypatch.setattr("quorate_operator.lease.asyncio.sleep", sleep)
    await second.acquire()
    assert waited == 4
    assert second.held
    assert not first.held


async def test_released_lease_is_taken_at_once() -> None:
    """A graceful end makes no successor wait."""
    api, monotonic = FakeApi(), Monotonic()
    first, second = lease(api, monotonic, "a"), lease(api, monotonic, "b")
    await first.acquire()
    await first.release()
    assert not first.held
    await second.acquire()
    assert second.held


async def test_a_restart_in_the_same_pod_takes_its_own_lease_at_once() -> None:
    """The identity is the pod's name: the process that held it before is dead for certain."""
    api, monotonic = FakeApi(), Monotonic()
    await lease(api, monotonic).acquire()
    again = lease(api, monotonic)
    await again.acquire()
    assert again.held


async def renewals(lease_: Lease, monotonic: Monotonic, rounds: int) -> None:
    """Renew ``rounds`` times, ten seconds apart."""

    async def sleep(seconds: float) -> None:
        nonlocal rounds
        rounds -= 1
        if rounds < 0:
            raise asyncio.CancelledError
        monotonic.time += 10.0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quorate_operator.lease.asyncio.sleep", sleep)
        await lease_.keep()


async def test_renewals_keep_it() -> None:
    """As long as renewals go through, it is held."""
    api, monotonic = FakeApi(), Monotonic()
    held = lease(api, monotonic)
    await held.acquire()
    with pytest.raises(asyncio.CancelledError):
        await renewals(held, monotonic, 12)
    assert held.held


@pytest.mark.requirement("operator: loses its Lease → ends at once")
async def test_silence_of_the_api_server_loses_it_in_time() -> None:
    """Not at the first failure, and not later than somebody else may take it."""
    api, monotonic = FakeApi(), Monotonic()
    held = lease(api, monotonic)
    await held.acquire()
    taken_at = monotonic.time

    def fault(method: str, path: str) -> None:
        raise ApiUnavailable("gone")

    api.fault = fault
    with pytest.raises(LeaseLost):
        await renewals(held, monotonic, 100)
    assert monotonic.time - taken_at == DURATION


@pytest.mark.requirement("operator: loses its Lease → ends at once")
async def test_another_holder_ends_it_at_the_next_look() -> None:
    """A Lease that somebody took by hand is not fought over."""
    api, monotonic = FakeApi(), Monotonic()
    held = lease(api, monotonic)
    await held.acquire()
    stolen = api.objects[PATH]
    stolen["spec"]["holderIdentity"] = "thief"
    api.put(PATH, stolen)
    with pytest.raises(LeaseLost):
        await renewals(held, monotonic, 3)


async def test_answer_that_was_lost_does_not_lose_the_lease() -> None:
    """A renewal that was written but not answered conflicts with the next one, which is ours."""
    api, monotonic = FakeApi(), Monotonic()
    held = lease(api, monotonic)
    await held.acquire()
    put = api.put
    lost: list[str] = []

    def put_and_lose(path: str, document: dict[str, object]) -> dict[str, object]:
        written = put(path, document)
        if not lost:
            lost.append(path)
            raise ApiUnavailable("the answer was lost")
        return written

    api.put = put_and_lose  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await renewals(held, monotonic, 4)
    assert held.held


async def test_refusals_while_waiting_are_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """RBAC that is not there yet, or an API server that is away, does not end the process."""
    api, monotonic = FakeApi(), Monotonic()
    errors: list[QuorateError] = [ApiUnavailable("away"), ApiRefused(403, "Forbidden", "no")]

    def fault(method: str, path: str) -> None:
        if errors:
            raise errors.pop()

    api.fault = fault

    async def sleep(seconds: float) -> None:
        monotonic.time += seconds

    monkeypatch.setattr("quorate_operator.lease.asyncio.sleep", sleep)
    waiting = lease(api, monotonic)
    await waiting.acquire()
    assert waiting.held
    assert errors == []
