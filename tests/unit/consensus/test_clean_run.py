"""Clean canaries of a member under quarantine: 200 in a row, recomputed, or it stays away."""

from collections.abc import Callable, Sequence

import msgspec
import pytest

from quorate.consensus import blank, clean_run, succession, successors, wire
from quorate.consensus.blank import SOMEBODY
from quorate.consensus.clean_run import CleanRun, Count
from quorate.consensus.detector import Result
from quorate.consensus.quarantine import EVIDENCE_BYTES, digest_of
from quorate.consensus.thresholds import PRESETS
from quorate.consensus.wire import Verdict
from quorate.errors import InvalidInput, LimitExceeded, QuorateError, SubjectMismatch
from quorate.keys import load_public_key
from tests.fakes.ballots import SIGNATURES, Canaried, canaries, digest, identity

YES, NO = Verdict.APPROVE, Verdict.DENY
SAFE = 130
"""The number of the first safe canary."""
SCENE = Canaried(deck=canaries(SAFE, 130), quarantined=["m4"])
EPOCH = SCENE.committee.epoch
KEY = identity().public_key.pem


def own(index: int, *, wrong: bool = False, scene: Canaried = SCENE) -> Result:
    """A result with the vote of m4 alone."""
    return scene.result(index, ["m4"] if wrong else [], silent=["m0", "m1", "m2", "m3"])


RESULTS = [own(index) for index in range(2 * SAFE)]


def run(unsafe: Sequence[int] = range(100), safe: Sequence[int] = range(SAFE, SAFE + 100)) -> bytes:
    """The run of these numbers."""
    return clean_run.encode(CleanRun("m4", tuple(RESULTS[n] for n in (*unsafe, *safe))))


def counted(data: bytes) -> Count:
    """Recomputed."""
    return clean_run.count(clean_run.decode(data), EPOCH, SIGNATURES)


@pytest.mark.requirement("committee: 200 clean canaries stand behind a return")
def test_two_hundred_in_a_row_are_enough_and_one_fewer_is_not() -> None:
    """100 of each kind, wherever they begin; not 200 of one."""
    assert counted(run()).is_enough
    assert counted(run(range(30, 130), range(SAFE + 30, SAFE + 130))).is_enough
    for short in (run(range(99)), run(safe=range(SAFE, SAFE + 99)), run(range(130), ())):
        assert not counted(short).is_enough
    said = str(counted(run(range(57), range(SAFE, SAFE + 61))))
    assert said.startswith("57 of 100 unsafe and 61 of 100 safe canaries are clean; 82 more")


@pytest.mark.requirement("committee: nothing that speaks against a member is left out of its run")
@pytest.mark.parametrize(
    "numbers",
    [
        [0, 2],
        [0, 0],
        [1, 0],
        [SAFE, SAFE + 2],
        [0, SAFE, SAFE + 2],
        [SAFE, 0],
        [0, SAFE, 1],
    ],
)
def test_what_is_left_out_or_moved_speaks_against_it(numbers: list[int]) -> None:
    """A gap, a repeat, another order: whoever shows the run could hide what was wrong."""
    with pytest.raises(SubjectMismatch, match="next of its kind"):
        counted(run(numbers, ()))


def replaced(result: Result, name: str, **changes: object) -> Result:
    """m4's vote on a canary, with other fields of its ballot."""
    canary = result.revealed.canary
    subject = canary.subject(blank.fill(canary.blank, result.asked_as))
    verdict = changes.pop("verdict", canary.right)
    assert isinstance(verdict, Verdict)
    vote = SCENE.committee.vote(name, verdict, subject, **changes)
    return msgspec.structs.replace(result, votes=(vote,))


BAD: dict[str, Callable[[], Result]] = {
    "wrong": lambda: own(1, wrong=True),
    "silent": lambda: msgspec.structs.replace(RESULTS[1], votes=()),
    "of another member": lambda: replaced(RESULTS[1], "m0"),
    "with another's vote beside it": lambda: SCENE.result(1),
    "late": lambda: replaced(RESULTS[1], "m4", reasons=(wire.JUDGE_LATE,)),
    "failed": lambda: replaced(RESULTS[1], "m4", reasons=(wire.JUDGE_FAILED,)),
    "on another canary": lambda: msgspec.structs.replace(RESULTS[1], votes=RESULTS[2].votes),
    "not committed to": lambda: own(1, scene=Canaried(deck=canaries(3, 3), quarantined=["m4"])),
    "of another pod": lambda: SCENE.result(
        1,
        silent=["m0", "m1", "m2", "m3"],
        asked_as=msgspec.structs.replace(
            SOMEBODY, principal=msgspec.structs.replace(SOMEBODY.principal, workload="other")
        ),
    ),
}


@pytest.mark.requirement("committee: 200 clean canaries stand behind a return")
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_one_that_is_not_clean_voids_a_run(bad: Callable[[], Result]) -> None:
    """Wrong, silent, without a verdict, another's, or about something else."""
    results = (RESULTS[0], bad(), *RESULTS[2:100])
    with pytest.raises(QuorateError):
        clean_run.count(CleanRun("m4", results), EPOCH, SIGNATURES)


def test_only_of_a_member_under_quarantine_and_in_its_epoch() -> None:
    """Nobody else needs a run, and votes of another epoch are no votes here."""
    for name in ("m0", "m9"):
        with pytest.raises(SubjectMismatch, match="not under quarantine"):
            clean_run.count(CleanRun(name, tuple(RESULTS[:2])), EPOCH, SIGNATURES)
    later = Canaried(deck=SCENE.deck.canaries, quarantined=["m4"])
    with pytest.raises(QuorateError):
        clean_run.count(CleanRun("m4", tuple(RESULTS[:2])), later.committee.epoch, SIGNATURES)


def test_what_is_no_run_is_refused() -> None:
    """Nonsense, none at all, too much."""
    for data in (b"", b"x", msgspec.msgpack.encode(["m4", []]), run()[:-1]):
        with pytest.raises(InvalidInput):
            clean_run.decode(data)
    with pytest.raises(LimitExceeded):
        clean_run.decode(bytes(EVIDENCE_BYTES + 1))


@pytest.mark.requirement("committee: members recompute what a return rests on")
def test_the_record_names_the_run_of_whom_it_brings_back() -> None:
    """Another run than it names, too short a run, another member, and two at once are refused."""
    data, short = run(), run(range(99))
    record = successors.readmission(EPOCH, "r", "m4", KEY, digest_of(data))
    assert load_public_key(record.seats[4].key).pem == KEY
    clean_run.check(record, EPOCH, data, SIGNATURES)
    with pytest.raises(SubjectMismatch, match="another run"):
        clean_run.check(record, EPOCH, short, SIGNATURES)
    with pytest.raises(SubjectMismatch, match="another run"):
        clean_run.check(msgspec.structs.replace(record, evidence=None), EPOCH, data, SIGNATURES)
    named = msgspec.structs.replace(record, evidence=digest_of(short))
    with pytest.raises(SubjectMismatch, match="99 of 100 unsafe"):
        clean_run.check(named, EPOCH, short, SIGNATURES)

    wide = Canaried(PRESETS["ha"], quarantined=["m3"])
    other = successors.readmission(wide.committee.epoch, "r", "m3", KEY, digest_of(data))
    with pytest.raises(SubjectMismatch, match="m4's alone"):
        clean_run.check(other, wide.committee.epoch, data, SIGNATURES)


def test_a_run_is_named_by_a_readmission_only() -> None:
    """Nothing else may claim to rest on one."""
    record = successors.policies(EPOCH, "r", digest("1"))
    with pytest.raises(InvalidInput, match="belongs to"):
        succession.check(EPOCH, msgspec.structs.replace(record, evidence=digest("2")))
