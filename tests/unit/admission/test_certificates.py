"""Certificates: what counts when a pod wants to run, and which reason is given when none does."""

from datetime import timedelta
from typing import Any

import pytest

from quorate.admission import validate
from quorate.certificate import PolicyRef
from quorate.verdict import Reason, Verdict
from tests.fakes.vouching import NOW, Committee, model_files, policy
from tests.unit.admission.pod_builder import PodBuilder
from tests.unit.admission.world import FLOOR, World, good_world

OTHER_POLICY = PolicyRef("ClusterSafetyPolicy", None, "other")
TENANTS_POLICY = PolicyRef("SafetyPolicy", "team-a", "floor")


def may_run(world: World) -> Verdict:
    pod = PodBuilder(world.snapshot).released().build()
    return validate.may_run(pod, world.snapshot, world.now).verdict


def reasons(world: World) -> list[Reason]:
    return [denial.reason for denial in may_run(world).denials]


@pytest.mark.requirement("good model → Running")
def test_a_certified_model_may_run() -> None:
    """A good pod whose model is certified under every policy may run."""
    assert may_run(good_world()).allowed


CASES: list[tuple[str, dict[str, Any], Reason]] = [
    (
        "another policy's digest",
        {"policy_digest": f"sha256:{'0' * 64}"},
        Reason.CERTIFICATE_INVALID,
    ),
    ("another policy", {"policy_ref": OTHER_POLICY}, Reason.CERTIFICATE_INVALID),
    ("a tenant's policy of that name", {"policy_ref": TENANTS_POLICY}, Reason.CERTIFICATE_INVALID),
    ("another model", {"model": "other"}, Reason.CERTIFICATE_INVALID),
    ("another namespace", {"namespace": "team-b"}, Reason.CERTIFICATE_INVALID),
    ("other files", {"files": model_files("7")}, Reason.CERTIFICATE_INVALID),
    ("a stranger's committee", {"committee": Committee()}, Reason.CERTIFICATE_INVALID),
    ("expired", {"now": NOW - timedelta(hours=1)}, Reason.CERTIFICATE_EXPIRED),
    ("from the future", {"now": NOW + timedelta(minutes=5)}, Reason.CERTIFICATE_EXPIRED),
]


@pytest.mark.parametrize(("claims", "reason"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_certificates_that_do_not_count(claims: dict[str, Any], reason: Reason) -> None:
    """A certificate for anything else, by anyone else or of another time is none."""
    world = good_world()
    compiled = next(iter(world.policies.values()))
    world.put_model([world.certificate(compiled, **claims)])
    assert reasons(world) == [reason]
    denial = may_run(world).denials[0]
    assert denial.policy == "ClusterSafetyPolicy/floor"
    assert denial.fix == "kubectl quorate explain AttestedModel/team-a/demo"


def test_a_certificate_of_another_cluster_does_not_count() -> None:
    """The same keys under another cluster's name do not admit here."""
    world = good_world()
    elsewhere = Committee(cluster_id="cluster-2", keys=world.committee.keys)
    compiled = next(iter(world.policies.values()))
    world.put_model([world.certificate(compiled, committee=elsewhere)])
    assert reasons(world) == [Reason.CERTIFICATE_INVALID]


@pytest.mark.parametrize("envelope", ["", "{}", "nonsense", "[]", '{"payload":1}'])
def test_malformed_certificates_do_not_count(envelope: str) -> None:
    """What is no envelope is no certificate, and no crash."""
    world = good_world()
    compiled = next(iter(world.policies.values()))
    world.put_model([world.certificate(compiled) | {"envelope": envelope}])
    assert reasons(world) == [Reason.CERTIFICATE_INVALID]


def test_no_certificate_denies() -> None:
    """Verified and reported True is not enough: without a certificate nothing runs."""
    world = good_world()
    world.put_model([])
    assert reasons(world) == [Reason.CERTIFICATE_MISSING]


def test_every_bit_of_the_envelope_counts() -> None:
    """No byte of a certificate can be changed without it ceasing to count."""
    world = good_world()
    compiled = next(iter(world.policies.values()))
    good = world.certificate(compiled)
    for position in range(0, len(good["envelope"]), 7):
        letter = "A" if good["envelope"][position] != "A" else "B"
        spoilt = good["envelope"][:position] + letter + good["envelope"][position + 1 :]
        world.put_model([good | {"envelope": spoilt}])
        # A changed keyid is a wrong hint, and hints are not trusted.
        hint = '"keyid"' in good["envelope"][position - 90 : position + 1]
        assert reasons(world) == [Reason.CERTIFICATE_INVALID] or hint


def test_a_certificate_ends_while_it_is_held() -> None:
    """It was verified on entry; whether it still counts is asked each time."""
    world = good_world()
    end = world.now + timedelta(minutes=30)
    pod = PodBuilder(world.snapshot).build()
    just_before, at = end - timedelta(microseconds=1), end
    assert validate.may_run(pod, world.snapshot, just_before).verdict.allowed
    late = validate.may_run(pod, world.snapshot, at).verdict
    assert [denial.reason for denial in late.denials] == [Reason.CERTIFICATE_EXPIRED]


def test_a_policy_change_voids_its_certificates() -> None:
    """A certificate for the policy as it was does not count for the policy as it is."""
    world = good_world()
    world.put_policy(policy(FLOOR | {"runtime": FLOOR["runtime"] | {"checks": [{"name": "pii"}]}}))
    assert reasons(world) == [Reason.CERTIFICATE_INVALID]


def create(world: World) -> validate.Judgement:
    return validate.create(PodBuilder(world.snapshot).build(), world.snapshot)


def test_unjudged_model_is_admitted_gated_with_a_warning() -> None:
    """Verification that is still under way does not refuse the pod: the gate holds it."""
    world = good_world()
    unjudged: list[dict[str, Any]] = [{"policies": []}, {"observedGeneration": 0}]
    for status in unjudged:
        world.put_model([], status)
        judgement = create(world)
        assert judgement.verdict.allowed
        assert judgement.warnings[0].startswith("VerificationPending")
    compiled = next(iter(world.policies.values()))
    unknown = world.report(compiled, status="Unknown", message="the member did not answer")
    world.put_model([], {"policies": [unknown]})
    assert "the member did not answer" in create(world).warnings[0]


@pytest.mark.parametrize("reason", ["SignerNotTrusted", "GateFailed", "SomethingNew"])
def test_a_requirement_that_failed_denies_at_once(reason: str) -> None:
    """What the operator saw fail is said at CREATE, with the requirement and its own reason."""
    world = good_world()
    compiled = next(iter(world.policies.values()))
    failed = world.report(compiled, status="False", reason=reason, message="by a stranger")
    world.put_model(status={"policies": [failed]})
    denial = create(world).verdict.denials[0]
    assert denial.reason in (reason, Reason.CERTIFICATE_MISSING)
    assert (denial.requirement, denial.message) == ("Signed", "by a stranger")
    assert denial.owner == "safety team <safety@example.com>"


def test_a_report_on_the_policy_as_it_was_is_ignored() -> None:
    """Neither a stale failure nor a stale success is about the policy as it is."""
    world = good_world()
    compiled = next(iter(world.policies.values()))
    stale = world.report(compiled, status="False", reason="NotSigned")
    world.put_model(status={"policies": [stale | {"digest": f"sha256:{'0' * 64}"}]})
    assert create(world).verdict.allowed


def test_an_unsigned_report_never_allows() -> None:
    """A report of True for everything does not stand in for a certificate."""
    world = good_world()
    world.put_model([])
    assert create(world).verdict.allowed
    assert reasons(world) == [Reason.CERTIFICATE_MISSING]
