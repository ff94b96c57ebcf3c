"""The members that an injected pod begins with: those of the newest epoch, and hints only."""

import copy
from dataclasses import replace

import msgspec
import pytest

from quorate.admission import injection, mutate
from quorate.admission.validate import shape
from quorate.consensus.epoch import Epoch
from quorate.verdict import Reason
from tests.fakes.vouching import Committee
from tests.unit.admission.pod_builder import bare_pod
from tests.unit.admission.world import World, good_world, injection_config

COMMITTEE = Committee(3)
FIRST = ("member-0", "member-1", "member-2")


def named(*members: str) -> Epoch:
    """An epoch with members of these names, as far as injection looks at it."""
    record = COMMITTEE.genesis.record
    seats = tuple(msgspec.structs.replace(record.seats[0], name=name) for name in members)
    return replace(COMMITTEE.genesis, record=msgspec.structs.replace(record, seats=seats))


def told(world: World) -> tuple[tuple[str, ...], ...]:
    """What both containers of a pod are told that is injected now."""
    pod = mutate.apply(bare_pod(), mutate.complete(bare_pod(), world.snapshot))
    return tuple(map(injection.members_of, pod["spec"]["initContainers"][-2:]))


@pytest.mark.requirement("pods begin with the members of the epoch they were injected in")
def test_the_newest_epoch_names_them() -> None:
    """A pod that is injected after a change of members begins with the new ones."""
    world = good_world()
    assert told(world) == (("member-0",), ("member-0",))
    history = world.committee.history
    world.store.follow(replace(history, recent=(*history.recent, named("member-1", "member-5"))))
    assert told(world) == (("member-1", "member-5"),) * 2


@pytest.mark.requirement("pods begin with the members of the epoch they were injected in")
def test_a_pod_of_an_earlier_epoch_still_passes() -> None:
    """What it begins with is no longer what would be injected, and it is released and bound."""
    world = good_world()
    pod = mutate.apply(bare_pod(), mutate.complete(bare_pod(), world.snapshot))
    history = world.committee.history
    world.store.follow(replace(history, recent=(*history.recent, named("member-9"))))
    assert shape(pod, world.snapshot).verdict.allowed


@pytest.mark.parametrize(
    "members",
    [
        (),
        ("",),
        ("Member-0",),
        ("member-0.evil.example.test",),
        ("member-0:1/",),
        ("-member",),
        ("member-0\n",),
        ("m" * 64,),
        tuple(f"member-{number}" for number in range(14)),
    ],
    ids=str,
)
def test_what_is_no_list_of_names_is_not_injected(members: tuple[str, ...]) -> None:
    """Nothing that leads to another host than the URL's, none, or more than a committee has."""
    world = good_world()
    config = msgspec.structs.replace(world.snapshot.injection, members=members)
    operations = copy.deepcopy(mutate.patch(bare_pod(), "model", config))
    verdict = shape(mutate.apply(bare_pod(), operations), world.snapshot).verdict
    assert Reason.NOT_INJECTED in [denial.reason for denial in verdict.denials]


def test_both_containers_begin_with_the_same() -> None:
    """A list of its own in one of the two is a change of what was injected."""
    world = good_world()
    pod = mutate.apply(bare_pod(), mutate.complete(bare_pod(), world.snapshot))
    pod = copy.deepcopy(pod)
    pod["spec"]["initContainers"][-1]["args"].append("--member=member-1")
    assert not shape(pod, world.snapshot).verdict.allowed


def test_a_name_that_no_url_can_hold_is_left_out() -> None:
    """Whoever gave such a seat its name cannot be reached; the others can."""
    config = injection_config(COMMITTEE.genesis.digest_text)
    assert injection.seated(config, COMMITTEE.genesis).members == FIRST
    assert injection.seated(config, named("member-0", "the second")).members == ("member-0",)
