import pytest

from quorate_operator.kinds import ATTESTED_MODEL, POD
from quorate_operator.watch_age import SILENCE_MAX, WatchAges
from tests.unit.operator.fake_api import Monotonic


@pytest.mark.requirement("operator: liveness is fed by the age of the last watch event")
def test_silence_of_one_kind_is_enough_to_restart() -> None:
    """Events of one kind say nothing of another's watch."""
    clock = Monotonic()
    ages = WatchAges((POD, ATTESTED_MODEL), clock)
    ages.begin()
    for _ in range(10):
        clock.time += SILENCE_MAX / 4
        ages.heard(POD.name)
        if ages.silent():
            break
    assert ages.ages() == {"Pod": 0.0, "AttestedModel": SILENCE_MAX * 1.25}
    assert [reason.split()[3] for reason in ages.silent()] == ["AttestedModel"]
    ages.heard(ATTESTED_MODEL.name)
    assert ages.silent() == []


def test_waiting_for_the_lease_is_no_silence() -> None:
    """Before the watches are opened there is nothing to hear."""
    clock = Monotonic()
    ages = WatchAges((POD,), clock)
    clock.time += 10 * SILENCE_MAX
    assert ages.silent() == []
    assert not ages.opened()
    ages.begin()
    assert ages.silent() == []
    assert not ages.opened()
    ages.heard(POD.name)
    assert ages.opened()


def test_watch_that_never_opens_is_silent_in_the_end() -> None:
    """A kind whose watch is refused for ever must not look alive."""
    clock = Monotonic()
    ages = WatchAges((POD,), clock)
    ages.begin()
    clock.time += SILENCE_MAX + 1
    assert ages.silent() != []
