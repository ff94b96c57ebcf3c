"""Policies change under running models: tightening works at once."""

import time

import pytest

from tests.e2e.tenant import Tenant, condition, eventually
from tests.fakes.vouching import policy, signer, signers


@pytest.mark.requirement("key removed → condition flips and new pods are denied within 10 s")
@pytest.mark.bypass("E17")
def test_removed_key(tenant: Tenant) -> None:
    """Ten seconds after a key leaves the policy, its models are no longer ready."""
    tenant.cluster.apply(tenant.attested())
    tenant.certified()
    tenant.cluster.apply(tenant.policy(signers=signers(signer())))
    changed = time.monotonic()

    def flipped() -> bool:
        return condition(tenant.get("attestedmodel", "demo"), "Signed") == "False"

    eventually(flipped, "the condition flips", seconds=10, pause=0.2)
    said = tenant.refused(tenant.pod("late"))
    assert "SignerNotTrusted" in said
    assert time.monotonic() - changed < 10


@pytest.mark.requirement("two policies → the stricter wins")
def test_stricter_policy_wins(tenant: Tenant) -> None:
    """A tenant's own policy can add a signer, not take one away."""
    own = policy({"model": {"signers": signers(signer())}}, name="own", namespace=tenant.namespace)
    del own["metadata"]["uid"], own["metadata"]["generation"]
    tenant.cluster.apply(own, tenant.attested())

    def unsigned() -> bool:
        return condition(tenant.get("attestedmodel", "demo"), "Signed") == "False"

    eventually(unsigned, "the stricter policy is not held")
    said = tenant.refused(tenant.pod("strict"))
    assert "SafetyPolicy" in said
    assert "own" in said
    tenant.kubectl("delete", "safetypolicy", "own")
    tenant.certified()
    tenant.cluster.apply(tenant.pod("strict"))
    tenant.running("strict")
