"""Answers about a model with liars among the members: what the operator makes of them together."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.consensus.thresholds import PRESETS, Thresholds
from quorate.errors import QuorateError, Unavailable
from quorate_io.evaluation import Counting
from quorate_io.member_api import EvaluateAnswer, RequirementResult, encode
from quorate_operator.reconcile.outcome import (
    DENIED_AGAIN,
    DENIED_AGAIN_MAX,
    JITTER,
    Outcome,
    answered,
)
from tests.fakes.vouching import Committee
from tests.unit.operator.scene import FILES, FLOOR, LIFE, Scene

REQUIREMENT = "answers by quorum: at most r members that lie neither certify nor deny nor set times"
COMMITTEES = (*PRESETS.values(), Thresholds(n=7, fast=5, strict=5, r=2))
NEVER = datetime(9999, 12, 31, tzinfo=UTC)
LIES = ("certify", "certify something else", "deny", "another policy", "nonsense", "silence")


@lru_cache
def scene(thresholds: Thresholds) -> Scene:
    """A model and a policy, and a committee. Not changed by the tests."""
    made = Scene(committee=Committee(n=thresholds.n, thresholds=thresholds))
    made.label("enforce")
    made.floor()
    made.model()
    return made


@lru_cache(maxsize=256)
def signed(thresholds: Thresholds, member: int, minutes: int) -> str:
    """A certificate with this member's signature alone."""
    at = scene(thresholds)
    alone = Committee(keys=[at.committee.keys[member]])
    life, epoch = LIFE - timedelta(minutes=minutes), at.committee.genesis.digest_text
    digest = at.policy().digest
    return alone.certify(FILES, FLOOR, digest, now=at.now, life=life, epoch=epoch).decode()


def said(thresholds: Thresholds, member: int, how: str, renew_at: datetime) -> bytes | QuorateError:
    """What a member answers."""
    if how == "silence":
        return Unavailable("away")
    if how == "nonsense":
        return b"{"
    other = how == "another policy"
    status = "False" if how == "deny" else "True"
    result = {"name": "Signed", "status": status, "reason": "Verified", "message": how}
    minutes = {"certify": 0, "certify something else": 1}.get(how)
    envelope = None if minutes is None else signed(thresholds, member, minutes)
    digest = f"sha256:{'0' * 64}" if other else scene(thresholds).policy().digest
    return encode(
        EvaluateAnswer(
            policy_digest=digest,
            requirements=(RequirementResult(**result),),  # type: ignore[arg-type]
            certificate=envelope,
            expires_at=None,
            renew_at=renew_at,
        )
    )


def told(thresholds: Thresholds, answers: list[bytes | QuorateError], order: list[int]) -> Outcome:
    """What the operator takes in of these answers, in this order."""
    at = scene(thresholds)
    history, counting = at.committee.history, Counting(at.committee.history, at.now)
    found = None
    for place, member in enumerate(order):
        if found is None and counting.is_open(len(order) - place):
            counting.take(f"member-{member}", answers[member])
            found = counting.decided(history)
    found = found or counting.failed()
    assert not found.failure
    return answered(at.question(), found, history, at.now)


@pytest.mark.requirement(REQUIREMENT)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_liars_neither_turn_nor_hurry_nor_delay_an_answer(data: st.DataObject) -> None:
    """All honest members say the same: that is what comes of it, in every order of answers; and it
    is asked again when one of them said, or at a bound of ours."""
    thresholds = data.draw(st.sampled_from(COMMITTEES))
    truth = data.draw(st.sampled_from(["certify", "deny"]))
    liars = data.draw(st.sets(st.integers(0, thresholds.n - 1), max_size=thresholds.r))
    now = scene(thresholds).now
    honest = [now + timedelta(minutes=m) for m in data.draw(_minutes(thresholds.n))]
    lies = st.tuples(st.sampled_from(LIES), st.sampled_from([now - LIFE, now, *honest, NEVER]))
    spoken = [
        data.draw(lies) if member in liars else (truth, honest[member])
        for member in range(thresholds.n)
    ]
    answers = [said(thresholds, member, *words) for member, words in enumerate(spoken)]
    order = data.draw(st.permutations(range(thresholds.n)))
    outcome = told(thresholds, answers, order)
    assert outcome.answer is not None
    times = [honest[member] for member in range(thresholds.n) if member not in liars]
    if truth == "certify":
        assert outcome.answer.certificate is not None
        assert len(outcome.answer.certificate.voters) >= thresholds.strict
        assert min(times) <= outcome.ask_at <= max(times) + LIFE / 2 * JITTER
    else:
        assert outcome.answer.certificate is None
        assert [r.status for r in outcome.answer.requirements] == ["False"]
        least = now + timedelta(seconds=DENIED_AGAIN)
        assert least <= outcome.ask_at <= now + timedelta(seconds=DENIED_AGAIN_MAX)


def _minutes(n: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(5, 25), min_size=n, max_size=n)
