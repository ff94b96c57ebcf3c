"""The committee that an installation begins with, as the chart tells the install Job."""

import json
from typing import Any

import pytest

from quorate.consensus import judge_sets
from quorate.consensus.thresholds import PRESETS
from quorate.errors import QuorateError
from quorate_operator.install.seats import VARIABLE, read_plan


def told(preset: str = "dev", **member: Any) -> dict[str, Any]:
    """The chart's words for a preset; ``member`` changes the first one."""
    members = [
        {"name": f"member-{number}", "judges": judges, "failureDomain": f"rack-{number}"}
        for number, judges in enumerate([*judge_sets.shipped().sets][: PRESETS[preset].n])
    ]
    members[0] |= member
    return {"preset": preset, "members": members}


def environment(document: Any) -> dict[str, str]:
    """As the Job's container has it."""
    return {VARIABLE: document if isinstance(document, str) else json.dumps(document)}


@pytest.mark.requirement("chart presets committee.preset: dev, standard, ha")
@pytest.mark.parametrize("preset", PRESETS)
def test_what_the_chart_says_is_what_is_seated(preset: str) -> None:
    """Names, failure domains and judges as they are told; thresholds are the preset's."""
    plan = read_plan(environment(told(preset)))
    assert plan.thresholds == PRESETS[preset]
    assert [m.name for m in plan.members] == [f"member-{n}" for n in range(PRESETS[preset].n)]
    seat = plan.members[0].seat("a key")
    assert (seat.name, seat.key, seat.failure_domain) == ("member-0", "a key", "rack-0")
    assert seat.judges == judge_sets.digest_of_set("all")
    assert plan.spares == ()


def test_spares_have_no_seat() -> None:
    """Their names are told, so that keys are made for them; where they are is the operator's."""
    spares = [{"name": f"member-{n}", "failureDomain": f"rack-{n}"} for n in (5, 6)]
    plan = read_plan(environment(told("standard") | {"spares": spares}))
    assert plan.spares == ("member-5", "member-6")
    assert len(plan.members) == 5


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "committee"),
        ("", "QUORATE_COMMITTEE"),
        ("standard", "QUORATE_COMMITTEE"),
        ("[]", "QUORATE_COMMITTEE"),
        (told() | {"preset": "huge"}, "none of dev, standard, ha"),
        (told() | {"members": []}, "members"),
        (told() | {"thresholds": {"n": 1}}, "thresholds"),
        (told(judges="kind"), "none of"),
        (told(name="Member"), "name"),
        (told(name="member-0.example.test"), "name"),
        (told(name=""), "name"),
        (told(failureDomain=""), "failureDomain"),
        (told(key="mine"), "key"),
        (told("standard", name="member-4"), "twice"),
        (told() | {"spares": [{"name": "member-0", "failureDomain": "a"}]}, "twice"),
        (told() | {"spares": [{"name": "Member", "failureDomain": "a"}]}, "name"),
        (told() | {"spares": [{"name": "member-1"}]}, "failureDomain"),
    ],
    ids=str,
)
def test_a_committee_that_cannot_be(document: Any, said: str) -> None:
    """It fails before anything is made, and says where."""
    with pytest.raises(QuorateError, match=said):
        read_plan(environment(document))


def test_a_new_committee_has_its_presets_members() -> None:
    """Later, records of the chain say how many there are, and the chart runs those."""
    plan = read_plan(environment(told() | {"preset": "standard"}))
    with pytest.raises(QuorateError, match="1 of them, and preset standard has 5"):
        plan.begins()
    read_plan(environment(told("standard"))).begins()


def test_who_is_not_told_installs_nothing() -> None:
    """A committee is nobody's to guess."""
    with pytest.raises(QuorateError, match=VARIABLE):
        read_plan({})
