"""A model nobody vouches for is refused, each time with the reason, the owner and the fix."""

from datetime import timedelta
from functools import partial

import pytest

from quorate.evidence.intoto import Outcome
from quorate.manifest import manifest
from tests.e2e.tenant import Tenant, condition, eventually
from tests.fakes.vouching import policy, signer, signers


@pytest.mark.requirement("no AttestedModel → create denied with policy, owner and fix")
def test_no_attested_model(tenant: Tenant) -> None:
    """A pod whose model has no AttestedModel is refused, and the refusal helps."""
    said = tenant.refused(tenant.pod("rogue", model="nobody"))
    assert "AttestedModelNotFound" in said
    assert f"ClusterSafetyPolicy/{tenant.namespace}" in said
    assert "safety@example.com" in said
    assert "kubectl quorate model manifest" in said


@pytest.mark.requirement("the tenant deletes its SafetyPolicy → still denied")
def test_deleting_the_tenants_policy_opens_nothing(tenant: Tenant) -> None:
    """The platform's floor stays when the tenant's own policy goes."""
    own = policy({"model": {"signers": signers(signer())}}, name="own", namespace=tenant.namespace)
    del own["metadata"]["uid"], own["metadata"]["generation"]
    tenant.cluster.apply(own)
    tenant.kubectl("delete", "safetypolicy", "own")
    assert "AttestedModelNotFound" in tenant.refused(tenant.pod("rogue", model="nobody"))


@pytest.mark.requirement("no policy selects → DENY")
def test_pod_outside_every_policy(tenant: Tenant) -> None:
    """Labels that no policy selects do not get a pod past the door."""
    pod = tenant.pod("outside")
    del pod["metadata"]["labels"]["e2e"]
    assert "NoPolicySelectsPod" in tenant.refused(pod)


@pytest.mark.requirement(
    "gate missing, FAILED, expired, signed by the wrong key, or for another model: own reasons"
)
def test_gates_that_do_not_count(tenant: Tenant) -> None:
    """Each bad gate flips the model's condition with its own reason, and its pods are refused."""
    files = tenant.models["good"].files
    other = manifest([("config.json", "f" * 64)])
    # The member remembers which bytes failed, so these are nobody else's.
    failed = manifest([("config.json", "e" * 64)])
    cases = {
        "missing": ((), "GateMissing"),
        "failed": ((tenant.gate(failed, result=Outcome.FAILED),), "GateFailed"),
        "expired": ((tenant.gate(files, age=timedelta(days=3)),), "GateExpired"),
        "stranger": ((tenant.gate(files, by=signer()),), "GateProducerNotTrusted"),
        "another": ((tenant.gate(other),), "GateForAnotherModel"),
    }
    meant = {"failed": failed}
    tenant.cluster.apply(
        *(
            tenant.attested(name, files=meant.get(name), gates=gates)
            for name, (gates, _) in cases.items()
        )
    )
    for name, (_, reason) in cases.items():
        model = eventually(partial(judged, tenant, name), f"{name} is judged")
        conditions = {c["type"]: c for c in model["status"]["conditions"]}
        assert conditions["GatesPassed"]["reason"] == reason
        assert conditions["Ready"]["status"] == "False"
        assert not model["status"].get("certificates")
        said = tenant.refused(tenant.pod(f"pod-{name}", model=name))
        assert reason in said
        assert "Gate/red-team" in said


def judged(tenant: Tenant, name: str) -> dict[str, object] | None:
    """The model once the member has judged its gates."""
    model: dict[str, object] = tenant.get("attestedmodel", name)
    return model if condition(model, "GatesPassed") == "False" else None


@pytest.mark.requirement("a signature by a key the policy does not name → denied")
def test_signed_by_a_stranger(tenant: Tenant) -> None:
    """A model signed by somebody else is not signed."""
    owner, tenant.owner = tenant.owner, signer()
    tenant.cluster.apply(tenant.attested("stolen"))
    tenant.owner = owner

    def unsigned() -> bool:
        return condition(tenant.get("attestedmodel", "stolen"), "Signed") == "False"

    eventually(unsigned, "the model is judged")
    assert "SignerNotTrusted" in tenant.refused(tenant.pod("stolen", model="stolen"))
