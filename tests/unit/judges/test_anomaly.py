"""The anomaly judge: p-values that mean what they say, and a baseline that never moves."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quorate.consensus.request import Band, Risk
from quorate.consensus.wire import Verdict
from quorate.errors import InvalidInput
from quorate_consensus.judges.anomaly import AnomalyJudge, read_baseline
from quorate_consensus.judges.release import BUILT_IN
from quorate_features.conformal import p_value, sorted_scores
from quorate_features.population import FEATURES, features
from tests.fakes.asking import action, called, request, result, user
from tests.unit.judges import built_in

DOCUMENT = json.loads((BUILT_IN / "anomaly.json").read_text())
MAIL = {"to": "ana@example.com", "subject": "plan", "body": "The plan is ready."}


def test_ordinary_and_strange() -> None:
    """A mail like all others passes; two hundred addressees, or a long blob, do not."""
    read = built_in.judge("anomaly").read
    plain = action("m", "send", user("send it to ana"), **MAIL)
    assert read(replace(plain, risk=Risk(560, Band.MEDIUM))).verdict is Verdict.APPROVE
    many = MAIL | {"to": [f"{n}@example.com" for n in range(200)]}
    blob = MAIL | {"body": "Zm9vYmFy/+9" * 600}
    for arguments in (many, blob):
        opinion = read(action("m", "send", user("send it"), **arguments))
        assert (opinion.verdict, opinion.reasons) == (Verdict.DENY, ("UnlikeItsClass",))
        assert not opinion.hard
        assert opinion.score >= 990


def test_a_loop_is_strange() -> None:
    """The hundredth call of one tool is unlike a conversation."""
    calls = [called("http_get", url=f"https://example.com/{n}") for n in range(90)]
    opinion = built_in.judge("anomaly").read(
        action("http_get", "read", user("go"), *calls, url="https://example.com/91")
    )
    assert opinion.reasons == ("UnlikeItsClass",)


def test_a_class_without_a_baseline_is_denied() -> None:
    """What the release has no population of, nobody can call ordinary."""
    opinion = built_in.judge("anomaly").read(action("t", "teleport", user("go")))
    assert (opinion.verdict, opinion.reasons) == (Verdict.DENY, ("ClassWithoutBaseline",))


@pytest.mark.requirement("judges: nothing learns from traffic")
def test_two_hundred_strange_requests_change_nothing() -> None:
    """However often something strange is asked, it stays as strange as it was."""
    judge = AnomalyJudge(read_baseline(DOCUMENT), "")
    strange = action("m", "send", user("x"), to=[f"{n}@example.com" for n in range(200)])
    plain = action("m", "send", user("send it to ana"), **MAIL)
    before = (judge.read(strange), judge.read(plain))
    for _ in range(200):
        judge.read(strange)
    assert (judge.read(strange), judge.read(plain)) == before


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60))
def test_p_values_are_valid(scores: list[int]) -> None:
    """Of exchangeable scores, at most a share ``a`` has a p-value of at most ``a``, for every a."""
    values = []
    for at in range(len(scores)):
        others = sorted_scores(scores[:at] + scores[at + 1 :])
        values.append(p_value(float(scores[at]), others))
    for alpha in np.linspace(0, 1, 21):
        assert sum(value <= alpha for value in values) <= alpha * len(values) + 1e-9


def test_features_of_the_empty_request() -> None:
    """Nothing to count is no error."""
    assert np.isfinite(features(request())).all()
    assert len(features(request(result("x")))) == len(FEATURES)


def changed(**fields: Any) -> dict[str, Any]:
    """The baseline with other fields."""
    whole: dict[str, Any] = json.loads(json.dumps(DOCUMENT))
    return whole | fields


def of_class(**fields: Any) -> dict[str, Any]:
    """The baseline with one class changed."""
    whole = changed()
    whole["classes"]["send"] |= fields
    return whole


@pytest.mark.parametrize(
    "document",
    [
        {},
        changed(version=2),
        changed(alpha=0),
        changed(alpha=0.0001),
        changed(classes={}),
        changed(features=list(reversed(FEATURES))),
        of_class(scores=[]),
        of_class(scores=[1.0] * 98),
        of_class(scores=list(range(200, 0, -1))),
        of_class(scores=[float("nan")] * 200),
        of_class(spread=[0.0] * len(FEATURES)),
        of_class(middle=[0.0]),
        of_class(more=1),
    ],
)
def test_a_baseline_that_is_refused(document: dict[str, Any]) -> None:
    """Too few scores for alpha, none sorted, other features: refused when the release is loaded."""
    with pytest.raises(InvalidInput):
        read_baseline(document)
