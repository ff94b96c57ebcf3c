"""Which member's Pod is replaced, and why none is."""

import pytest

from quorate import names
from quorate.consensus.thresholds import PRESETS, Thresholds
from quorate_operator.kinds import POD, STATEFUL_SET, Key
from quorate_operator.reconcile.actions import Target
from quorate_operator.reconcile.member_rollout import MemberPod, Plan, Seen, plan_rollout

FIVE = [f"member-{i}" for i in range(5)]
STANDARD = PRESETS["standard"]


def member(name: str, revision: str = "old", wanted: str = "new") -> MemberPod:
    """A member whose Pod is of this revision; none if that is empty."""
    workload = Key(STATEFUL_SET.name, names.NAMESPACE, names.member_object(name))
    pod = Key(POD.name, names.NAMESPACE, f"{workload.name}-0")
    return MemberPod(
        name,
        Target(workload, f"set-{name}", STATEFUL_SET.api_version),
        wanted,
        Target(pod, f"uid-{name}", POD.api_version) if revision else None,
        revision,
    )


def plan(
    *pods: MemberPod,
    away: str = "",
    standing: list[str] = FIVE,
    thresholds: Thresholds = STANDARD,
    stuck: str = "",
    tried: dict[str, str] | None = None,
) -> Plan:
    """What to do, with all members answering but those ``away``."""
    answering = frozenset(standing) - set(away.split())
    stands, sticks = frozenset(standing), frozenset(stuck.split())
    return plan_rollout(Seen(pods, thresholds, stands, answering, sticks, tried or {}))


def deleted(found: Plan) -> str:
    """Whose Pod is to be deleted; empty if none is."""
    return found.delete.member if found.delete else ""


@pytest.mark.requirement("rolling upgrade: one member at a time, only while all others answer")
def test_one_outdated_member_at_a_time() -> None:
    """The first by name, and no second; none once all are as they should be."""
    outdated = [member(name) for name in FIVE]
    assert deleted(plan(*outdated)) == "member-0"
    current = [member(name, "new") for name in FIVE]
    assert plan(*current) == Plan()
    assert deleted(plan(*current[:4], member("member-4"))) == "member-4"


@pytest.mark.requirement("rolling upgrade: one member at a time, only while all others answer")
def test_the_others_must_answer() -> None:
    """Who waits is said, and for whom; the one that does not answer may go itself."""
    outdated = [member(name) for name in FIVE[:3]]
    found = plan(*outdated, away="member-3")
    assert deleted(found) == ""
    assert found.waits is not None
    assert found.waits.member == "member-0"
    assert found.why == "member-3 must answer first"
    assert deleted(plan(*outdated, away="member-2")) == "member-2"
    assert plan(*outdated, away="member-3 member-4").why == "member-3, member-4 must answer first"


def test_a_pod_that_ends_or_is_not_there_is_waited_for() -> None:
    """Its member does not answer; and what nobody has seen is not deleted again."""
    pods = [member("member-0", ""), *(member(name) for name in FIVE[1:])]
    found = plan(*pods, away="member-0")
    assert (deleted(found), found.why) == ("", "member-0 must answer first")


def test_a_set_whose_controller_is_behind_moves_nothing() -> None:
    """Its revision is of the form before."""
    assert plan(*(member(name, wanted="") for name in FIVE)) == Plan()


def test_a_committee_that_can_spare_none_is_replaced_all_the_same() -> None:
    """With a single member there is no other way; nor with all that must sign."""
    assert deleted(plan(member("member-0"), standing=FIVE[:1], thresholds=PRESETS["dev"])) != ""
    three = Thresholds(n=3, fast=2, strict=3, r=0)
    assert deleted(plan(*map(member, FIVE[:3]), standing=FIVE[:3], thresholds=three)) != ""


def test_after_a_quarantine_only_who_counts_for_nothing_is_replaced() -> None:
    """Of the four that are left all must sign: none of them may be away."""
    left = FIVE[:4]
    found = plan(*map(member, left), standing=left)
    assert deleted(found) == ""
    assert "the word of only 3 members counts, and 4 must sign" in found.why
    assert deleted(plan(*map(member, FIVE), standing=left)) == "member-4"
    six = [*left, "member-5"]
    assert deleted(plan(*map(member, six), standing=six, thresholds=PRESETS["ha"])) == "member-0"


def test_a_member_is_replaced_once_for_a_revision() -> None:
    """If what comes then is outdated again, deleting it more often helps nobody."""
    pods = [member(name) for name in FIVE]
    tried = dict.fromkeys(FIVE, "new")
    found = plan(*pods, tried=tried)
    assert deleted(found) == ""
    assert "was deleted for revision new already" in found.why
    assert deleted(plan(*pods, tried=dict.fromkeys(FIVE, "before"))) == "member-0"


def test_a_pod_that_serves_nobody_waits_for_nobody() -> None:
    """Two that are broken in the old revision would wait for each other for ever."""
    pods = [member(name) for name in FIVE]
    assert deleted(plan(*pods, away="member-1 member-2")) == ""
    found = plan(*pods, away="member-1 member-2", stuck="member-1 member-2")
    assert deleted(found) == "member-1"
