"""Canaries put to a member under quarantine: beside the others, after them, and counted apart."""

from collections import Counter
from pathlib import Path

import pytest

from quorate.consensus import clean_run, wire
from quorate.consensus.epoch import Change
from quorate.consensus.wire import Verdict
from quorate.errors import Unavailable
from quorate_sidecar.canaries import asker as asking
from quorate_sidecar.canaries.shadow import LEFT_MS, SHOW_SECONDS
from tests.fakes.ballots import SIGNATURES, canaries, digest
from tests.unit.sidecar.test_canaries import Stand

YES, NO = Verdict.APPROVE, Verdict.DENY


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers late here."""
    monkeypatch.setattr(asking, "LATE_SECONDS", 0.0)


def answered(stand: Stand) -> Counter[str]:
    """How the member under quarantine answered."""
    found: Counter[str] = Counter()
    for (_, _, answer), count in stand.counts("quorate_sidecar_shadow_answers_total").items():
        found[answer] += count
    return found


@pytest.mark.requirement("committee: a quarantined member votes in shadow, on canaries alone")
async def test_who_is_away_is_asked_the_same_canary_and_nothing_else(tmp_path: Path) -> None:
    """After everybody else, with time of its own; its answers are no member's answers."""
    stand = Stand(tmp_path, away=("m2",))
    await stand.turns(6)
    assert [member for member, _ in stand.reached.asked] == ["m2"] * 6
    for (_, ask), question in zip(stand.reached.asked, stand.members.questions, strict=True):
        assert question.marked is not None
        assert (ask.nonce, ask.audience) == (question.marked.nonce, question.marked.audience)
        assert (ask.request, ask.tier) == (question.request, question.tier)
        assert (ask.epoch, ask.left_ms) == (stand.scene.committee.epoch.digest, LEFT_MS)
    assert answered(stand) == {"right": 6}
    assert {k[0] for k in stand.counts("quorate_sidecar_canary_answers_total")} == {
        "m0",
        "m1",
        "m3",
        "m4",
    }
    assert stand.accused == []


async def test_nobody_is_asked_in_shadow_while_all_count(tmp_path: Path) -> None:
    """There is no token for it to take, and no answer to hear."""
    stand = Stand(tmp_path)
    await stand.turns(3)
    assert stand.reached.asked == []


@pytest.mark.requirement("committee: 200 clean canaries stand behind a return")
async def test_what_speaks_for_it_is_shown_to_all_and_recomputed(tmp_path: Path) -> None:
    """Once a minute, as long as it grows; what is shown after 240 canaries is enough."""
    stand = Stand(tmp_path, canaries(120, 120), away=("m2",))
    await stand.turns(3)
    assert len(stand.reached.runs) == 1
    stand.time += 2 * SHOW_SECONDS
    await stand.turns(236)
    assert len(stand.reached.runs) == 2
    stand.time += 2 * SHOW_SECONDS
    await stand.turns(1)
    run = stand.reached.runs[-1]
    assert run.member == "m2"
    assert all(len(result.votes) == 1 for result in run.results)
    assert clean_run.count(run, stand.scene.committee.epoch, SIGNATURES).is_enough


@pytest.mark.parametrize("how", ["wrong", "silent", "late", "nonsense", "another's", "abstains"])
async def test_whatever_is_not_right_begins_the_row_anew(tmp_path: Path, how: str) -> None:
    """Of that kind: wrong, not there, without a verdict, or no vote of its own."""
    stand = Stand(tmp_path, canaries(12, 0), away=("m2",))
    await stand.turns(4)
    reached, committee = stand.reached, stand.scene.committee
    match how:
        case "wrong":
            reached.lies = {"m2": YES}
        case "silent":
            reached.silent = {"m2"}
        case "late":
            reached.reasons = (wire.JUDGE_LATE,)
        case "nonsense":
            reached.answers = [b"x"]
        case "another's":
            reached.answers = [wire.encode(committee.vote("m0", NO))]
        case "abstains":
            reached.answers = [wire.encode(wire.Abstention(1, "Overloaded"))]
    await stand.turns(1)
    reached.lies, reached.silent, reached.reasons = {}, set(), ()
    stand.time += 2 * SHOW_SECONDS
    await stand.turns(2)
    assert answered(stand) == {"right": 6, "wrong" if how == "wrong" else "none": 1}
    assert len(stand.reached.runs[-1].results) == 1
    stand.time += 2 * SHOW_SECONDS
    await stand.turns(1)
    results = stand.reached.runs[-1].results
    assert [one.revealed.index for one in results] == [5, 6, 7]


async def test_a_lost_canary_and_another_epoch_begin_it_anew(tmp_path: Path) -> None:
    """What nobody answered was not answered rightly either."""
    stand = Stand(tmp_path, canaries(12, 0), away=("m2",))
    await stand.turns(2)
    stand.members.fault = Unavailable("nobody")
    await stand.turns(1)
    stand.members.fault = None
    stand.time += 2 * SHOW_SECONDS
    await stand.turns(1)
    assert [one.revealed.index for one in stand.reached.runs[-1].results] == [3]
    committee = stand.scene.committee
    committee.open(committee.next_record(Change.POLICIES, policies=digest("c")))
    stand.witness.open_epoch(committee.epoch.digest)
    await stand.turns(1)
    assert [one.revealed.index for one in stand.reached.runs[-1].results] == [4]


async def test_nobody_who_keeps_it_stops_nothing(tmp_path: Path) -> None:
    """It is shown again a minute later."""
    stand = Stand(tmp_path, away=("m2",))
    stand.reached.fault = Unavailable("nobody")
    await stand.turns(2)
    stand.reached.fault = None
    stand.time += 2 * SHOW_SECONDS
    await stand.turns(1)
    assert len(stand.reached.runs) == 1
