"""Evidence of whoever wants to frame: whatever is cut, turned, chosen or mixed, it convicts nobody
whom what was really signed does not."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.consensus import quarantine
from quorate.consensus.detector import ALARM, Failures, Result, advance
from quorate.consensus.equivocation import Equivocation
from quorate.consensus.wire import Verdict
from quorate.errors import QuorateError
from tests.fakes.ballots import SIGNATURES, Canaried
from tests.fakes.blanks import somebody

YES, NO = Verdict.APPROVE, Verdict.DENY
SCENE = Canaried()
C = SCENE.committee
LIAR = "m4"
PAIR = quarantine.encode(Equivocation((C.vote(LIAR, NO), C.vote(LIAR, YES, sequence=2))))
RUN = quarantine.encode(Failures(LIAR, NO, tuple(SCENE.result(n, [LIAR]) for n in range(6))))
COUNT = 12
PODS = somebody("chat-0"), somebody("chat-1")
HONEST = "m1"
"""Wrong about a third of what each pod asks: others at each."""
WRONG = {pod: frozenset(range(pod, COUNT, 3)) for pod in range(2)}
RESULTS: dict[tuple[int, int], Result] = {
    (pod, n): SCENE.result(n, [HONEST] if n in WRONG[pod] else [], asked_as=PODS[pod])
    for pod in range(2)
    for n in range(COUNT)
}


def convicted(data: bytes) -> str:
    """Whom it convicts; nobody if it is refused."""
    try:
        return quarantine.convicted(quarantine.decode(data), C.epoch, SIGNATURES)
    except QuorateError:
        return ""


edits = st.lists(st.tuples(st.integers(0, len(RUN)), st.binary(max_size=3)), max_size=4)


@pytest.mark.requirement("committee: hostile evidence convicts no honest member")
@settings(max_examples=150, deadline=None)
@given(st.sampled_from([PAIR, RUN]), edits, st.integers(0, len(RUN)))
def test_damaged_evidence_convicts_nobody_else(
    data: bytes, changes: list[tuple[int, bytes]], length: int
) -> None:
    """Bytes replaced anywhere, and cut anywhere: the liar, or nobody, and never a crash."""
    found = bytearray(data)
    for place, new in changes:
        found[place : place + len(new)] = new
    assert convicted(bytes(found)) in ("", LIAR)
    assert convicted(bytes(found[:length])) in ("", LIAR)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([b"e", b"f", b"x"]))
def test_noise_is_no_evidence(noise: bytes, kind: bytes) -> None:
    """Of whatever kind it says it is."""
    assert convicted(kind + noise) == ""


picked = st.lists(st.sampled_from(sorted(RESULTS)), min_size=1, max_size=COUNT)


@pytest.mark.requirement("committee: hostile evidence convicts no honest member")
@settings(max_examples=150, deadline=None)
@given(picked, st.booleans(), st.sampled_from(C.names), st.sampled_from([YES, NO]))
def test_no_choice_among_pods_and_results_frames_an_able_member(
    chosen: list[tuple[int, int]], ordered: bool, name: str, right: Verdict
) -> None:
    """The member is wrong about something whichever pod asks, so a picker finds six mistakes; but
    what it leaves out counts as right, and it must keep to one pod."""
    keys = sorted(set(chosen), key=lambda key: key[1]) if ordered else chosen
    accusation = Failures(name, right, tuple(RESULTS[key] for key in keys))
    assert convicted(quarantine.encode(accusation)) == ""


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), min_size=6, max_size=COUNT), st.integers(0, 4))
def test_who_shows_all_convicts_exactly_whom_the_statistic_does(
    story: list[bool], member: int
) -> None:
    """An accusation of all results, with votes left out or not: it holds exactly if the statistic
    is at the alarm at its end."""
    name = C.names[member]
    results = tuple(SCENE.result(n, [name] if wrong else []) for n, wrong in enumerate(story))
    statistic = 0.0
    for wrong in story:
        statistic = advance(statistic, wrong=wrong)
    found = convicted(quarantine.encode(Failures(name, NO, results)))
    assert (found == name) is (statistic >= ALARM)
    bare = tuple(msgspec.structs.replace(one, votes=one.votes[:3]) for one in results)
    assert convicted(quarantine.encode(Failures(name, NO, bare))) == ""
