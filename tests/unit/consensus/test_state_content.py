"""What a pod is told: rules and certificates, or a denial that names its reason."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from quorate import names, signed_state
from quorate.errors import Unavailable
from quorate.evidence.intoto import Outcome
from quorate.signed_state import PodState, StateDenied
from quorate.verdict import Reason, Verdict
from quorate_consensus import state_content
from quorate_consensus.collected import Collected
from quorate_consensus.issuing import judge
from quorate_consensus.state_content import Question
from quorate_io.member_api import ObservedPod
from tests.fakes import vouching
from tests.fakes.states import state_of
from tests.fakes.vouching import NOW
from tests.unit.consensus.scene import FILES, POD, Scene, Unread, relayed

MINUTE = timedelta(minutes=1)


def pod(**labels: str) -> ObservedPod:
    """The pod with exactly these labels (``_`` stands for what a keyword cannot hold)."""
    return msgspec.structs.replace(POD, labels=labels)


def told(
    scene: Scene,
    *,
    asking: ObservedPod = POD,
    now: datetime = NOW,
    revoke: Callable[[str], bool] = lambda _: False,
    **batch: Any,
) -> PodState:
    """What the pod's sidecar makes of its state: every step from the relay to the verifier."""
    observed = relayed(scene.batch(**batch)).current
    assert observed is not None
    asked = state_content.question(observed, asking)
    if isinstance(asked, Verdict):
        content = state_content.denied(asking, asked)
    else:
        standings = [judge(scene.committee, p, asked.model, now) for p in asked.policies]
        held = Collected(scene.committee.epochs, Unread()).of(asked.model, now)
        ids = [one.certificate.certificate_id for one in held]
        revoked = tuple(certificate_id for certificate_id in ids if revoke(certificate_id))
        content = state_content.answer(asking, asked, standings, held, revoked)
    statement = state_content.statement(
        content, scene.members.genesis, now=now, heard_at=now, life=scene.state_life
    )
    envelope = signed_state.issue(statement, scene.members.keys)
    return state_of(envelope, scene.members.history, asking.uid, now)


@pytest.mark.requirement("the signed state carries the compiled policy and its certificates")
def test_a_pod_that_may_serve() -> None:
    """Rules of every policy that selects it, intersected, and the model's manifest digest."""
    tenant = vouching.policy(
        {"runtime": {"limits": {"requestsPerMinute": 5}, "checks": [{"name": "pii"}]}},
        name="tenant",
        namespace="team-a",
    )
    scene = Scene()
    allowed = told(scene, policies=(scene.floor(checks=[{"name": "secrets"}]), tenant))
    assert allowed.manifest_digest == FILES.digest
    assert (allowed.rules.port, allowed.rules.requests_per_minute) == (8000, 5)
    assert [check.name for check in allowed.rules.checks] == ["pii", "secrets"]
    assert len(allowed.policy_digests) == 2
    assert allowed.expires_at == NOW + 10 * MINUTE


SCENE = Scene()
GENESIS = SCENE.members.genesis
STRANGER = vouching.signer()


def floor(**spec: Any) -> dict[str, Any]:
    """The scene's floor with parts of its spec replaced."""
    document = SCENE.floor()
    return document | {"spec": document["spec"] | spec}


def without_floor() -> dict[str, Any]:
    """Only the tenant's own policy selects the pod."""
    document = vouching.policy({}, name="tenant", namespace="team-a")
    return {"policies": (document,)}


def too_many() -> dict[str, Any]:
    """More policies than one pod may have."""
    return {
        "policies": (
            SCENE.floor(),
            *(vouching.policy({}, name=f"p{i}", namespace="team-a") for i in range(16)),
        )
    }


def model_without(field: str) -> dict[str, Any]:
    """The model without its signatures or its evidence."""
    document = SCENE.model()
    document["spec"][field] = []
    return {"models": (document,)}


def model_with_gate(*keys: Any, **details: Any) -> dict[str, Any]:
    """The model with one gate result, made by these producers."""
    files = details.pop("files", FILES)
    return {
        "models": (
            vouching.attested_model(
                FILES,
                bundles=(vouching.bundle(FILES, SCENE.owner),),
                gates=(vouching.gate_result(files, *(keys or (SCENE.producer,)), **details),),
            ),
        )
    }


def model_signed_by_a_stranger() -> dict[str, Any]:
    """The model under a signature nobody asked for."""
    return {
        "models": (
            vouching.attested_model(
                FILES,
                bundles=(vouching.bundle(FILES, STRANGER),),
                gates=(vouching.gate_result(FILES, SCENE.producer),),
            ),
        )
    }


def model_of_other_bytes() -> dict[str, Any]:
    """A signature that is good, for other files than spec.manifestDigest says."""
    other = vouching.model_files("1")
    document = SCENE.model()
    document["spec"]["signatures"][0]["bundle"] = vouching.bundle(other, SCENE.owner)
    return {"models": (document,)}


def unreadable_model() -> dict[str, Any]:
    """An AttestedModel without its required fields."""
    return {"models": (SCENE.model() | {"spec": {}},)}


def broken(namespace: str | None) -> dict[str, Any]:
    """A second policy that does not compile, and does not even select the pod."""
    odd = vouching.policy(
        {"runtime": {"upstream": {"port": 1}}},
        name="odd",
        namespace=namespace,
        selector={"matchLabels": {"app": "another"}},
    )
    return {"policies": (SCENE.floor(), odd)}


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        ({"policies": ()}, Reason.NO_POLICY),
        ({"policies": (floor(selector={"matchLabels": {"app": "x"}}),)}, Reason.NO_POLICY),
        (without_floor(), Reason.NO_PLATFORM_FLOOR),
        ({"policies": (floor(model={}),)}, Reason.NO_PLATFORM_FLOOR),
        (too_many(), Reason.TOO_MANY_POLICIES),
        (broken(None), Reason.INVALID_POLICY),
        (broken("team-a"), Reason.INVALID_POLICY),
        ({"policies": (floor(runtime={}),)}, Reason.POLICY_CONFLICT),
        ({"models": ()}, Reason.MODEL_NOT_FOUND),
        (unreadable_model(), Reason.MALFORMED),
        (model_without("signatures"), Reason.NOT_SIGNED),
        (model_signed_by_a_stranger(), Reason.SIGNER_NOT_TRUSTED),
        (model_of_other_bytes(), Reason.MANIFEST_MISMATCH),
        (model_without("evidence"), Reason.GATE_MISSING),
        (model_with_gate(result=Outcome.FAILED), Reason.GATE_FAILED),
        (model_with_gate(result=Outcome.WARNED), Reason.GATE_FAILED),
        (model_with_gate(finished_at=NOW - timedelta(days=1)), Reason.GATE_EXPIRED),
        (model_with_gate(STRANGER), Reason.GATE_UNTRUSTED),
        (model_with_gate(files=vouching.model_files("1")), Reason.GATE_OTHER_MODEL),
    ],
)
@pytest.mark.requirement("missing, expired, mismatched, malformed, unselected: DENY")
def test_every_denial_names_its_reason(batch: dict[str, Any], reason: Reason) -> None:
    """A state is signed, and it denies."""
    with pytest.raises(StateDenied) as denial:
        told(SCENE, **batch)
    assert denial.value.reason == reason
    assert str(reason) in denial.value.message


def test_a_broken_policy_of_another_namespace_denies_nobody_here() -> None:
    """A tenant's mistake stays in its namespace."""
    told(SCENE, **broken("team-b"))


@pytest.mark.parametrize("labels", [{}, {"app": "chat"}, {names.MODEL_LABEL: ""}])
def test_a_pod_that_names_no_model(labels: dict[str, str]) -> None:
    """The label was taken away: denied, in a state about this very pod."""
    with pytest.raises(StateDenied) as denial:
        told(SCENE, asking=pod(**labels))
    assert denial.value.reason == Reason.NO_MODEL_LABEL


def test_a_model_of_another_namespace_does_not_count() -> None:
    """A pod names a model of its own namespace only."""
    elsewhere = vouching.attested_model(FILES, namespace="team-b")
    with pytest.raises(StateDenied) as denial:
        told(SCENE, models=(elsewhere,))
    assert denial.value.reason == Reason.MODEL_NOT_FOUND


def test_all_reasons_are_told() -> None:
    """A person sees everything that is wrong at once, each with its policy and its fix."""
    document = SCENE.model()
    document["spec"] |= {"signatures": [], "evidence": []}
    with pytest.raises(StateDenied) as denial:
        told(SCENE, models=(document,))
    lines = denial.value.message.splitlines()
    assert [line.split(":")[0] for line in lines] == ["NotSigned", "GateMissing"]
    assert all("ClusterSafetyPolicy/floor" in line and "fix: " in line for line in lines)


def test_a_revoked_certificate_denies() -> None:
    """A certificate in the list of revoked ones does not count, whoever put it there."""
    with pytest.raises(StateDenied) as denial:
        told(SCENE, revoke=lambda _: True)
    assert denial.value.reason == Reason.REVOKED


@pytest.mark.requirement("a member tells no pod yes on its own word alone")
def test_a_pod_of_a_model_without_certificates_hears_neither_yes_nor_no() -> None:
    """What was not collected yet, or only for one of two policies, is said to be missing."""
    tenant = vouching.policy({}, name="tenant", namespace="team-a")
    policies = (SCENE.floor(), tenant)
    for model, missing in (
        (SCENE.model(), "ClusterSafetyPolicy/floor"),
        (SCENE.collected(SCENE.model()), "SafetyPolicy/team-a/tenant"),
        (SCENE.collected(SCENE.model(), tenant), "ClusterSafetyPolicy/floor"),
    ):
        with pytest.raises(Unavailable, match=f"{missing} .* was not collected yet"):
            told(SCENE, policies=policies, models=(model,))
    told(SCENE, policies=policies, models=(SCENE.collected(SCENE.model(), *policies),))


@pytest.mark.requirement("a member's denial does not wait for the others")
def test_a_denial_stands_whatever_the_others_certified() -> None:
    """A quorum's valid certificate does not silence a member that finds the gate failed."""
    certified = SCENE.collected(SCENE.model())["certificates"]
    failed = SCENE.model(result=Outcome.FAILED) | {"certificates": certified}
    with pytest.raises(StateDenied) as denial:
        told(SCENE, models=(failed,))
    assert denial.value.reason == Reason.GATE_FAILED


def test_the_order_in_which_policies_were_told_is_in_no_state() -> None:
    """Others compare what two members say: digests are in the order of the policies' names."""
    names_ = ("b", "a", "c")
    tenants = [vouching.policy({}, name=name, namespace="team-a") for name in names_]
    for policies in ((SCENE.floor(), *tenants), (*tenants[::-1], SCENE.floor())):
        observed = relayed(SCENE.batch(policies=policies)).current
        assert observed is not None
        asked = state_content.question(observed, POD)
        assert isinstance(asked, Question)
        assert [policy.ref.name for policy in asked.policies] == ["floor", "a", "b", "c"]


@pytest.mark.parametrize(
    ("heard_ago", "left"), [(0, 600), (1, 599), (240, 360), (599, 1), (-5, 600)]
)
@pytest.mark.requirement("beyond the hard expiry of the state: DENY")
def test_a_state_lives_from_when_the_operator_was_heard(heard_ago: int, left: int) -> None:
    """A member that hears nothing does not make old policies live on."""
    content = state_content.denied(POD, Verdict((vouching_denial(),)))
    statement = state_content.statement(
        content,
        SCENE.members.genesis,
        now=NOW,
        heard_at=NOW - timedelta(seconds=heard_ago),
        life=600,
    )
    assert statement.expires_at - NOW == timedelta(seconds=left)


@pytest.mark.parametrize("heard_ago", [600, 601, 100_000])
def test_no_state_when_the_operator_was_not_heard(heard_ago: int) -> None:
    """Past that life nothing is signed, and the reason says who is missing."""
    content = state_content.denied(POD, Verdict((vouching_denial(),)))
    with pytest.raises(Unavailable, match="operator was last heard"):
        state_content.statement(
            content,
            SCENE.members.genesis,
            now=NOW,
            heard_at=NOW - timedelta(seconds=heard_ago),
            life=600,
        )


def vouching_denial() -> Any:
    """Some denial."""
    observed = relayed(SCENE.batch(policies=())).current
    assert observed is not None
    asked = state_content.question(observed, POD)
    assert not isinstance(asked, Question)
    return asked.denials[0]
