"""The operator's question and its answer: whose policy, which requirements, and what to do."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from quorate.errors import InvalidInput
from quorate.evidence.intoto import Outcome
from quorate_consensus.evaluations import answer, check_time, read_question
from quorate_consensus.issuing import vote
from quorate_io import member_api
from tests.fakes import vouching
from tests.fakes.vouching import NOW
from tests.unit.consensus.scene import Scene

SCENE = Scene()


def asked(
    policy: dict[str, Any], model: dict[str, Any], issued_at: Any = NOW
) -> member_api.EvaluateAnswer:
    """What the operator reads, through the JSON of request and answer."""
    body = {"policy": policy, "model": model, "issuedAt": issued_at}
    compiled, observed, at = read_question(msgspec.json.encode(body))
    told = member_api.encode(answer(vote(SCENE.committee, compiled, observed, at)))
    return member_api.decode(
        told, member_api.EvaluateAnswer, bytes_max=len(told), what="evaluation"
    )


def test_a_model_that_holds() -> None:
    """Every requirement is True and says how many documents show it; times are exact."""
    told = asked(SCENE.floor(), SCENE.model())
    assert [(r.name, r.status, r.reason) for r in told.requirements] == [
        ("Signed", "True", "Verified"),
        ("Gate/red-team", "True", "Verified"),
    ]
    assert told.certificate
    assert told.expires_at is not None
    assert (told.expires_at - NOW).total_seconds() == 3600
    assert (told.renew_at - NOW).total_seconds() == 1800


def test_a_model_that_does_not_hold() -> None:
    """Each requirement stands for itself, with its reason and the step that would fix it."""
    told = asked(SCENE.floor(), SCENE.model(result=Outcome.FAILED))
    signed, gate = told.requirements
    assert (signed.status, gate.status, gate.reason) == ("True", "False", "GateFailed")
    assert "quorate gate" in gate.fix
    assert (told.certificate, told.expires_at) == (None, None)


def test_a_tenants_policy_is_for_its_own_namespace() -> None:
    """A model is never certified under another namespace's policy."""
    own = vouching.policy({}, name="p", namespace="team-a")
    assert asked(own, SCENE.model()).certificate
    foreign = vouching.policy({}, name="p", namespace="team-b")
    with pytest.raises(InvalidInput, match="namespace"):
        asked(foreign, SCENE.model())


@pytest.mark.parametrize("kind", ["AttestedModel", "Pod", "", None])
def test_a_policy_of_another_kind(kind: str | None) -> None:
    """Only the two policy kinds are policies."""
    with pytest.raises(InvalidInput):
        asked(SCENE.floor() | {"kind": kind}, SCENE.model())


@pytest.mark.parametrize("which", ["policy", "model"])
def test_an_object_without_a_namespace(which: str) -> None:
    """A namespaced object must say where it is."""
    policy, model = vouching.policy({}, name="p", namespace="team-a"), SCENE.model()
    del (policy if which == "policy" else model)["metadata"]["namespace"]
    with pytest.raises(InvalidInput, match="must be set"):
        asked(policy, model)


@pytest.mark.parametrize(
    "issued_at",
    [
        None,
        0,
        "",
        "now",
        "2026-11-21T12:00:00",
        "2026-11-21T12:00:00.5Z",
        "2026-11-21T12:00:00.000001Z",
        "2026-11-21T13:00:00+01:00",
        "0001-01-01T00:00:00+14:00",
    ],
)
def test_a_time_in_another_spelling(issued_at: Any) -> None:
    """A whole second in UTC, or what members sign would differ."""
    with pytest.raises(InvalidInput):
        asked(SCENE.floor(), SCENE.model(), issued_at)


def test_a_time_must_be_said() -> None:
    """A question of an operator of the release before is refused."""
    body = {"policy": SCENE.floor(), "model": SCENE.model()}
    with pytest.raises(InvalidInput, match="issuedAt"):
        read_question(msgspec.json.encode(body))


@pytest.mark.parametrize(("seconds", "near"), [(-31, False), (-30, True), (30, True), (31, False)])
@pytest.mark.requirement("certificates carry votes of members on one identical statement")
def test_a_time_must_be_near_the_members_own(seconds: int, near: bool) -> None:
    """Nobody has the evidence of yesterday judged as of yesterday, or lengthens a life."""
    issued_at = NOW + timedelta(seconds=seconds)
    if near:
        check_time(issued_at, NOW)
        return
    with pytest.raises(InvalidInput, match="not near") as refused:
        check_time(issued_at, NOW)
    assert refused.value.field == "issuedAt"
    assert "clocks" in refused.value.fix
