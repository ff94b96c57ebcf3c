"""The SafetyCommittee's parts that are pure: bounds, the tail of the chain, installation."""

import msgspec
import pytest

from quorate.api.v1alpha1 import safety_committee
from quorate.api.v1alpha1.safety_committee import SafetyCommitteeStatus
from quorate.consensus import epoch as epochs
from quorate.consensus import history as histories
from quorate.consensus import judge_errors, judge_sets
from quorate.consensus.dependence import Pair
from quorate.consensus.epoch import Change
from quorate.consensus.thresholds import MEMBERS_MAX
from quorate.errors import InvalidInput
from quorate_io.member_api import CERTIFIED_BYTES
from quorate_operator.install.committee import install_committee
from quorate_operator.kinds import SAFETY_COMMITTEE
from quorate_operator.reconcile import committee_chain
from quorate_operator.reconcile.committee_conditions import MemberSeen, observe
from quorate_operator.reconcile.committee_plan import read_offered
from tests.fakes.ballots import SIGNATURES, Committee, digest
from tests.unit.operator.committee_stand import PATH, Stand
from tests.unit.operator.fake_api import FakeApi


def test_bounds_are_those_of_records() -> None:
    """The API knows no consensus; its numbers are the same."""
    assert safety_committee.MEMBERS_MAX == MEMBERS_MAX
    assert safety_committee.ADMINS_MAX == epochs.ADMINS_MAX
    assert safety_committee.CERTIFIED_CHARS == CERTIFIED_BYTES


@pytest.mark.requirement("install: once, never overwritten, idempotent")
async def test_the_object_is_made_once_and_left_alone() -> None:
    """What people proposed outlives an upgrade."""
    api = FakeApi()
    await install_committee(api)
    assert api.objects[PATH]["spec"] == {"proposals": []}
    changed = api.put(PATH, api.objects[PATH] | {"spec": {"proposals": [{"name": "one"}]}})
    await install_committee(api)
    assert api.objects[PATH]["spec"] == changed["spec"]
    assert SAFETY_COMMITTEE.path(name="committee").endswith("v1alpha1/safetycommittees/committee")


def test_a_spec_that_is_none_is_refused_by_its_field() -> None:
    """Whatever came past the API server's own schema."""
    with pytest.raises(InvalidInput, match=r"spec\.proposals\.0\.record"):
        read_offered({"proposals": [{"name": "one"}]})
    assert read_offered({}) == ()


@pytest.mark.parametrize("texts", [["{"], ["[]"], ["\ud800"], ['{"record": {}}']])
def test_a_tail_that_cannot_be_read_is_none(texts: list[str]) -> None:
    """Nothing of it is guessed."""
    assert committee_chain.read_tail(texts) == ()


def test_a_tail_begins_anew_after_a_gap() -> None:
    """What is missing in between is not skipped; what reaches beyond what is known is kept."""
    committee = Committee()
    history = histories.begin(committee.epoch)
    chain = []
    for char in "bcd":
        record = committee.next_record(Change.POLICIES, policies=digest(char))
        chain.append(committee.endorse(record, 4, 2))
        committee.open(record)
    whole = histories.follow(history, chain, SIGNATURES)
    one, two, three = chain
    assert committee_chain.kept_tail((one,), (three,), whole) == (three,)
    assert committee_chain.kept_tail((one,), (three, two), whole) == (one, two, three)
    assert committee_chain.kept_tail((two, three), (), history) == (two, three)
    assert committee_chain.read_tail(map(committee_chain.text_of, chain)) == (one, two, three)
    assert committee_chain.followed(history, (one, two)).head.record.number == 2
    assert committee_chain.followed(history, (three,)) is history


def test_who_is_under_quarantine_is_no_opinion_and_is_missed() -> None:
    """It shares judges with nobody, and nobody needs fewer signatures."""
    committee = Committee(quarantined=["m1"])
    members = [MemberSeen(name, reachable=True) for name in sorted(committee.epoch.counted)]
    seen = observe(committee.epoch, members)
    assert seen["Degraded"].reason == "NoneToSpare"
    assert "under quarantine: m1" in seen["Degraded"].message
    assert "m1" not in seen["JudgesDiverse"].message
    assert seen["EpochCurrent"].status == "Unknown"


SETS = judge_sets.shipped().sets
FIVE = list(SETS.values())[:5]
ALIKE = {SETS["all"], SETS["tools-history-rules"]}


@pytest.mark.requirement("JudgesDiverse: members err together, by the release's own figures")
@pytest.mark.parametrize(
    ("judges", "found", "words"),
    [
        (FIVE, ("True", "AllDiffer"), "none that were measured err together"),
        ([*FIVE[:4], digest("e")], ("True", "AllDiffer"), "4 of 10 pairs have judges that do not"),
        ([*FIVE[:4], FIVE[1]], ("False", "JudgesShared"), "m1 and m4 go by the same"),
        (FIVE, ("False", "ErrTogether"), "m0 and m4 both approved 95 of 1000 unsafe requests"),
    ],
)
def test_members_that_err_together_are_not_diverse(
    judges: list[str], found: tuple[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named, with the figures and what to change; what was not measured is said to be so."""
    if found[1] == "ErrTogether":
        # Nothing that ships does; a release whose figures are such would.
        pair, alike = judge_errors.pair, Pair(1000, 100, 98, 95)
        measured = lambda *both: alike if set(both) == ALIKE else pair(*both)  # noqa: E731
        monkeypatch.setattr(judge_errors, "pair", measured)
    record = Committee().epoch.record
    seats = tuple(
        msgspec.structs.replace(seat, judges=own)
        for seat, own in zip(record.seats, judges, strict=True)
    )
    head = epochs.open_epoch(msgspec.structs.replace(record, seats=seats))
    seen = observe(head, [])["JudgesDiverse"]
    assert (seen.status, seen.reason) == found
    assert words in seen.message
    if found[1] == "ErrTogether":
        assert "independent judges would have 9.8 (phi 0.96" in seen.message
        assert seen.message.endswith("give one of them judges that the other lacks")
        assert "m1" not in seen.message


async def test_a_status_that_somebody_broke_is_written_anew() -> None:
    """It is the operator's own; nobody else's text stays in it."""
    stand = Stand()
    stand.api.objects[PATH]["status"] = {"epoch": "one", "chain": [1]}
    await stand.look()
    found = SafetyCommitteeStatus.model_validate(stand.api.objects[PATH]["status"])
    assert found.epoch is not None
    assert found.epoch.number == 0
