from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.api.v1alpha1 import AttestedModel
from quorate.api.v1alpha1.meta import read
from quorate.certificate import PolicyRef
from quorate.policy.evaluate import evaluate
from quorate.verdict import Reason
from quorate_operator.reconcile.actions import (
    ApplyStatus,
    EmitEvent,
    Evaluate,
    RaiseAlert,
)
from quorate_operator.reconcile.conditions import TYPES
from quorate_operator.reconcile.outcome import DENIED_AGAIN, JITTER
from quorate_operator.reconcile.scope import POLICIES_PER_MODEL
from tests.fakes import vouching
from tests.unit.operator.scene import (
    FLOOR,
    FLOOR_SPEC,
    LIFE,
    MODEL,
    TEAM,
    Scene,
    verified_scene,
)

SECOND = timedelta(seconds=1)


def writes(plan_actions: tuple[object, ...]) -> list[ApplyStatus]:
    return [action for action in plan_actions if isinstance(action, ApplyStatus)]


def asks(plan_actions: tuple[object, ...]) -> list[PolicyRef]:
    return [action.policy for action in plan_actions if isinstance(action, Evaluate)]


@pytest.mark.requirement("conditions: the first visit writes Unknown")
def test_first_visit_writes_unknown_and_asks() -> None:
    """A model nobody looked at gets four Unknown conditions, and every policy is asked about."""
    scene = Scene()
    scene.floor()
    scene.floor(name="second")
    scene.model()
    plan = scene.plan()
    (written,) = writes(plan.actions)
    assert {(c["type"], c["status"]) for c in written.status["conditions"]} == {
        (kind, "Unknown") for kind in TYPES
    }
    assert asks(plan.actions) == [FLOOR, PolicyRef("ClusterSafetyPolicy", None, "second")]
    assert written.target.uid == "uid-demo"


@pytest.mark.requirement("operator: takes evidence to the member and writes conditions")
def test_certified_model_is_ready() -> None:
    """When the member certifies, all conditions are True and the certificate is in the status."""
    scene = Scene()
    scene.label("enforce")
    scene.floor()
    scene.model()
    scene.approves()
    plan = scene.settle()
    assert {kind: scene.condition(kind)[0] for kind in TYPES} == dict.fromkeys(TYPES, "True")
    (held,) = scene.status["certificates"]
    assert (held["kind"], held["name"]) == ("ClusterSafetyPolicy", "floor")
    assert held["digest"] == scene.policy().digest
    assert scene.status["observedGeneration"] == 1
    events = [action for action in plan.actions if isinstance(action, EmitEvent)]
    assert [(event.type, event.reason) for event in events] == [("Normal", "Verified")]


def test_nothing_is_done_while_nothing_changes() -> None:
    """A second look plans nothing and says when the next one is due: near half of the life."""
    scene = verified_scene()
    plan = scene.plan()
    assert plan.actions == ()
    half = scene.now + LIFE / 2
    assert plan.look_again_at is not None
    assert half <= plan.look_again_at <= half + LIFE / 2 * JITTER


@pytest.mark.requirement("operator: re-verifies before expiry")
def test_renewal_is_asked_for_at_half_of_the_life() -> None:
    """Not before half of the life, and then the new certificate replaces the old one."""
    scene = verified_scene()
    due = scene.plan().look_again_at
    assert due is not None
    scene.now = due - SECOND
    assert asks(scene.plan().actions) == []
    scene.now = due
    assert asks(scene.plan().actions) == [FLOOR]
    before = scene.status["certificates"][0]["expiresAt"]
    scene.approves()
    scene.settle()
    assert scene.status["certificates"][0]["expiresAt"] > before


@pytest.mark.requirement("operator: re-verifies on policy change")
def test_changed_policy_is_asked_about_at_once() -> None:
    """A new policy digest makes the old answer void, and its certificate is dropped."""
    scene = verified_scene()
    scene.floor(FLOOR_SPEC | {"model": {"signers": vouching.signers(vouching.signer())}})
    assert asks(scene.plan().actions) == [FLOOR]
    scene.denies(reason=Reason.SIGNER_NOT_TRUSTED)
    scene.settle()
    assert scene.condition("Ready") == ("False", "SignerNotTrusted")
    assert scene.status["certificates"] == []


def test_changed_model_is_asked_about_at_once() -> None:
    """A new generation is judged anew; until then a certificate for the same bytes stays."""
    scene = verified_scene()
    scene.model(evidence=[])
    plan = scene.plan()
    assert asks(plan.actions) == [FLOOR]
    assert writes(plan.actions) == []
    scene.denies(reason=Reason.GATE_MISSING)
    plan = scene.settle()
    assert scene.condition("GatesPassed") == ("False", "GateMissing")
    assert scene.condition("Signed") == ("True", "Verified")
    assert scene.status["certificates"] == []
    assert scene.status["observedGeneration"] == 2
    events = [action for action in plan.actions if isinstance(action, EmitEvent)]
    assert [(event.type, event.reason) for event in events] == [("Warning", "GateMissing")]


def test_denial_is_asked_about_again_later() -> None:
    """Time alone may turn a denial, so it is not final; nor is it asked about in a loop."""
    scene = Scene()
    scene.floor()
    scene.model()
    scene.denies()
    scene.settle()
    assert scene.plan().actions == ()
    scene.now += timedelta(seconds=DENIED_AGAIN)
    assert asks(scene.plan().actions) == [FLOOR]


@pytest.mark.requirement("a member that does not answer: conditions Unknown, MemberUnavailable")
def test_silent_member_leaves_the_unknown_unknown() -> None:
    """Without an answer and without a certificate nothing is claimed, and the member is named."""
    scene = Scene()
    scene.floor()
    scene.model()
    scene.is_silent()
    scene.settle()
    for kind in TYPES:
        assert scene.condition(kind) == ("Unknown", "MemberUnavailable")
    assert scene.status["certificates"] == []


@pytest.mark.requirement("a member that does not answer: valid certificates are kept")
def test_silent_member_voids_nothing_that_is_still_valid() -> None:
    """A certificate counts until it expires, and then the conditions say why there is none."""
    scene = verified_scene()
    scene.now += LIFE / 2 + LIFE / 2 * JITTER
    scene.is_silent()
    scene.settle()
    assert scene.condition("Certified") == ("True", "Verified")
    assert len(scene.status["certificates"]) == 1
    scene.now += LIFE / 2
    scene.is_silent()
    scene.settle()
    assert scene.condition("Certified") == ("Unknown", "MemberUnavailable")
    assert scene.condition("Signed") == ("Unknown", "MemberUnavailable")
    assert scene.status["certificates"] == []


def test_changed_model_with_a_silent_member_is_unknown() -> None:
    """What the certificate rests on has changed: the certificate stays, the knowledge goes."""
    scene = verified_scene()
    scene.model(evidence=[])
    scene.is_silent()
    scene.settle()
    assert scene.condition("GatesPassed") == ("Unknown", "MemberUnavailable")
    assert scene.condition("Certified") == ("True", "Verified")
    assert len(scene.status["certificates"]) == 1


def test_transition_time_moves_only_with_the_status() -> None:
    """A reason or message may change without the condition having changed."""
    scene = Scene()
    scene.floor()
    scene.model()
    scene.is_silent()
    scene.settle()
    first = {c["type"]: c["lastTransitionTime"] for c in scene.status["conditions"]}
    scene.now += timedelta(minutes=5)
    scene.denies()
    scene.settle()
    assert scene.condition("Ready")[0] == "False"
    second = {c["type"]: c["lastTransitionTime"] for c in scene.status["conditions"]}
    assert all(second[kind] > first[kind] for kind in TYPES)
    scene.now += timedelta(minutes=5)
    scene.denies(reason=Reason.GATE_EXPIRED)
    scene.settle()
    assert scene.condition("Ready") == ("False", "GateExpired")
    third = {c["type"]: c["lastTransitionTime"] for c in scene.status["conditions"]}
    assert third == second


@pytest.mark.requirement("operator restart: no storm of questions, nothing trusted unproven")
def test_restarted_operator_adopts_what_the_status_proves() -> None:
    """With a certificate that verifies, a fresh process asks only when a renewal is due."""
    scene = verified_scene()
    scene.outcomes.clear()
    plan = scene.plan()
    assert plan.actions == ()
    scene.now = plan.look_again_at or scene.now
    assert asks(scene.plan().actions) == [FLOOR]


def test_restarted_operator_believes_no_status_without_its_certificate() -> None:
    """A status that only claims to be certified is judged again at once."""
    scene = verified_scene()
    scene.outcomes.clear()
    document = scene.documents[MODEL]
    document["status"]["certificates"][0]["envelope"] = "{}"
    scene.put(document)
    assert asks(scene.plan().actions) == [FLOOR]


def test_certificate_of_another_committee_in_a_status_does_not_count() -> None:
    """What another genesis signed is as good as absent: the model is judged again."""
    scene = verified_scene()
    other = Scene()
    other.label("enforce")
    other.floor()
    other.put(scene.documents[MODEL])
    assert asks(other.plan().actions) == [FLOOR]


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda _: None, Reason.NO_POLICY),
        (lambda s: s.floor({"selector": {}}), Reason.NO_PLATFORM_FLOOR),
        (lambda s: s.floor(FLOOR_SPEC, namespace=TEAM), Reason.NO_PLATFORM_FLOOR),
        (lambda s: (s.floor(), s.model(owners=None)), Reason.MALFORMED),
        (
            lambda s: (s.floor(), s.floor({"mode": "Enforce", "owners": None}, name="broken")),
            Reason.INVALID_POLICY,
        ),
    ],
    ids=["no policy", "no signers", "only the tenant's", "no owners", "broken policy"],
)
def test_ready_is_false_for_what_admission_would_deny(
    prepare: Callable[[Scene], object], reason: Reason
) -> None:
    """Ready says what would keep the model's pods from running, although it may be certified."""
    scene = Scene()
    scene.label("enforce")
    scene.model()
    prepare(scene)
    for policy in scene.world.compiled():
        scene.approves(policy.ref)
    scene.settle()
    assert scene.condition("Ready") == ("False", reason.value)


def test_owners_are_asked_for_only_where_the_namespace_enforces() -> None:
    """In a namespace that only warns a model without owners may be Ready."""
    scene = Scene()
    scene.label("warn")
    scene.floor()
    scene.model(owners=None)
    scene.approves()
    scene.settle()
    assert scene.condition("Ready") == ("True", "Verified")


def test_too_many_policies_are_said_so() -> None:
    """Beyond the bound the rest is not judged, and the model is not Ready."""
    scene = Scene()
    for index in range(POLICIES_PER_MODEL + 1):
        scene.floor(name=f"floor-{index:02}")
    scene.model()
    for policy in scene.world.compiled():
        scene.approves(policy.ref)
    scene.settle()
    assert scene.condition("Ready") == ("False", Reason.TOO_MANY_POLICIES.value)
    assert len(scene.status["policies"]) == POLICIES_PER_MODEL


def test_policies_of_other_models_do_not_count() -> None:
    """A policy whose selector names another model is not held against this one."""
    scene = Scene()
    scene.floor()
    other = {"matchLabels": {"quorate.dev/model": "other"}}
    scene.floor(name="theirs", selector=other)
    scene.model()
    scene.approves()
    scene.settle()
    assert scene.condition("Ready") == ("True", "Verified")


@pytest.mark.requirement("bad input: an object that cannot be read does not make a loop")
def test_malformed_model_is_written_once() -> None:
    """An object the schema should have refused gets its reason, and is then left alone."""
    scene = Scene()
    scene.label("enforce")
    scene.floor()
    scene.model(source={"image": {"reference": "no-digest"}})
    scene.settle()
    assert scene.condition("Ready") == ("False", "Malformed")
    assert scene.plan().actions == ()


def test_late_renewal_of_a_served_model_is_an_alert() -> None:
    """A model with a pod whose certificate is not renewed raises one; one without pods does not."""
    scene = verified_scene()
    scene.now += LIFE * 0.7
    scene.is_silent()
    assert [a for a in scene.plan().actions if isinstance(a, RaiseAlert)] == []
    pod = {
        "kind": "Pod",
        "metadata": {
            "name": "chat",
            "namespace": TEAM,
            "uid": "p",
            "labels": {"quorate.dev/model": "demo"},
        },
        "spec": {"containers": []},
    }
    scene.put(pod)
    (alert,) = [a for a in scene.plan().actions if isinstance(a, RaiseAlert)]
    assert (alert.rule, alert.severity) == ("CertificateRenewalLate", "High")
    assert "no answer" in alert.summary
    assert alert.owners is not None


def test_the_scene_shows_evidence_that_holds() -> None:
    """These tests speak of a model whose evidence the core itself finds good."""
    scene = verified_scene()
    model = read(AttestedModel, scene.documents[MODEL])
    assert evaluate(scene.policy(), model, scene.now).verdict.allowed


STEPS = st.sampled_from(["approves", "denies", "silent", "edit", "policy", "restart"])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(STEPS, st.integers(0, 4000)), max_size=8))
def test_plans_end_and_claim_nothing_unproven(steps: list[tuple[str, int]]) -> None:
    """Whatever happens, writing ends, and every certificate in the status counts at that time."""
    scene = Scene()
    scene.label("enforce")
    scene.floor()
    scene.model()
    for step, seconds in steps:
        scene.now += timedelta(seconds=seconds)
        if step == "edit":
            scene.model(version=str(seconds))
        elif step == "policy":
            scene.floor(FLOOR_SPEC | {"mode": "Warn" if seconds % 2 else "Enforce"})
        elif step == "restart":
            scene.outcomes.clear()
        else:
            scene.hears(step)
        plan = scene.plan()
        if asks(plan.actions):
            scene.is_silent()
        scene.settle()
        known = scene.see()
        for entry in scene.status.get("certificates", ()):
            attached = known.view.attached[FLOOR]
            assert attached.envelope == entry["envelope"]
            assert attached.certificate.statement.policy_digest == scene.policy().digest
        again = scene.plan().look_again_at
        assert again is None or again > scene.now
