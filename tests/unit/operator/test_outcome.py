from datetime import timedelta

import pytest

from quorate.consensus.history import EpochUnknown
from quorate.verdict import Reason
from quorate_io.member_api import RequirementResult
from quorate_io.operator_client import Evaluation
from quorate_operator.reconcile.outcome import (
    RETRY_MAX,
    Outcome,
    answered,
    renewal,
    spread,
    unanswered,
)
from tests.unit.operator.scene import FILES, FLOOR, LIFE, Scene, verified_scene


def answer(scene: Scene, **changes: object) -> Evaluation:
    """A certifying answer, changed."""
    envelope = scene.committee.certify(FILES, FLOOR, scene.policy().digest, now=scene.now)
    fields = {
        "policy_digest": scene.policy().digest,
        "requirements": (),
        "certificate": envelope.decode(),
        "renew_at": scene.now + LIFE / 4,
    }
    return scene.said(**(fields | changes))


def take_in(scene: Scene, answer_: Evaluation) -> Outcome:
    """What the operator makes of an answer."""
    return answered(scene.question(), answer_, scene.committee.history, scene.now)


@pytest.mark.requirement("a certificate is verified before it is published")
@pytest.mark.parametrize("spoil", ["other keys", "other model", "not JSON", "expired"])
def test_answer_that_does_not_prove_itself_counts_as_none(spoil: str) -> None:
    """A certificate that does not verify for exactly this question never reaches a status."""
    scene = verified_scene()
    committee = Scene().committee if spoil == "other keys" else scene.committee
    envelope = committee.certify(
        FILES,
        FLOOR,
        scene.policy().digest,
        model="other" if spoil == "other model" else "demo",
        now=scene.now - LIFE if spoil == "expired" else scene.now,
        epoch=scene.committee.genesis.digest_text,
    ).decode()
    text = "{}" if spoil == "not JSON" else envelope
    outcome = take_in(scene, answer(scene, certificate=text))
    assert outcome.answer is None
    assert outcome.reason == Reason.CERTIFICATE_INVALID
    assert outcome.failure
    assert outcome.ask_at > scene.now


def test_answer_of_an_epoch_that_is_not_known_is_not_taken_in() -> None:
    """It may be newer than what the operator knows: whoever asked follows the chain first."""
    scene = verified_scene()
    envelope = Scene().committee.certify(FILES, FLOOR, scene.policy().digest, now=scene.now)
    with pytest.raises(EpochUnknown):
        take_in(scene, answer(scene, certificate=envelope.decode()))


def test_answer_about_another_reading_of_the_policy_counts_as_none() -> None:
    """If the member compiles the policy otherwise, what it says is about something else."""
    scene = verified_scene()
    outcome = take_in(scene, answer(scene, policy_digest=f"sha256:{'0' * 64}"))
    assert outcome.answer is None
    assert "not sha256" in outcome.failure


def test_texts_of_an_answer_are_bounded() -> None:
    """The status has room for so much; a member's longer text is cut, not refused."""
    scene = verified_scene()
    result = {"name": "Signed", "status": "False", "reason": "x" * 500, "message": "y" * 8000}
    long = RequirementResult(**result)  # type: ignore[arg-type]
    outcome = take_in(scene, answer(scene, requirements=(long,), certificate=None))
    assert outcome.answer is not None
    (kept,) = outcome.answer.requirements
    assert (len(kept.reason), len(kept.message)) == (128, 1024)


def test_questions_without_an_answer_come_ever_later_and_are_spread() -> None:
    """Each failure doubles the wait up to a bound; chance takes up to half of it away."""
    scene = verified_scene()
    question = scene.question()
    waits = []
    outcome = None
    for _ in range(10):
        outcome = unanswered(question, "no", "MemberUnavailable", outcome, scene.now, 1.0)
        waits.append((outcome.ask_at - scene.now).total_seconds())
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == RETRY_MAX
    soon = unanswered(question, "no", "MemberUnavailable", None, scene.now, 0.0)
    assert soon.ask_at - scene.now == timedelta(seconds=0.5)


def test_failure_keeps_the_answer_it_follows_and_forgets_one_about_something_else() -> None:
    """The last answer stays until the model or the policy changes."""
    scene = verified_scene()
    scene.is_silent()
    assert scene.outcomes[FLOOR].answer is not None
    scene.model(version="2")
    scene.is_silent()
    assert scene.outcomes[FLOOR].answer is None
    assert scene.outcomes[FLOOR].failures == 1


def test_renewals_are_spread_but_steady() -> None:
    """The delay is the same at every look, within its bound, and differs between certificates."""
    scene = verified_scene()
    question = scene.question()
    delays = set()
    for _ in range(20):
        scene.now += timedelta(seconds=1)
        scene.approves()
        held = scene.outcomes[FLOOR].answer
        assert held is not None
        assert held.certificate is not None
        delay = spread(question, held.certificate)
        assert delay == spread(question, held.certificate)
        assert timedelta(0) <= delay <= LIFE / 2 * 0.1
        assert renewal(question, held.certificate) == scene.now + LIFE / 2 + delay
        delays.add(delay)
    assert len(delays) > 10
