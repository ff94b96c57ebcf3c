"""Evidence that is kept in ConfigMaps and in a real registry, with operator and member running."""

import asyncio
import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from quorate.api.v1alpha1.document_source import BUNDLE_TYPE, ENVELOPE_TYPE
from quorate.evidence.intoto import Outcome
from tests.fakes import vouching
from tests.integration.operator.installation import Installation, Part, eventually
from tests.integration.operator.tenant import Tenant
from tests.integration.registry.real_registry import RealRegistry

pytestmark = [pytest.mark.cluster]

FILES = vouching.model_files()
REVOCATIONS = "quorate_member_revocations_total"


@pytest.fixture
def registry(tmp_path: Path, installed: Installation) -> Iterator[RealRegistry]:
    """A registry that the platform lists; it does not run yet."""
    found = RealRegistry(tmp_path)
    listed = {"registries": [found.host], "plainHTTP": [found.host], "refreshSeconds": 5}
    installed.write("evidence/registries.json", json.dumps(listed).encode())
    yield found
    installed.write("evidence/registries.json", b"{}")


def gate(tenant: Tenant, result: Outcome = Outcome.PASSED, minutes: int = 1) -> str:
    """A result of the tenant's gate."""
    finished = datetime.now(UTC) - timedelta(minutes=minutes)
    return vouching.gate_result(FILES, tenant.producer, finished_at=finished, result=result)


def put_model(tenant: Tenant, **sources: Any) -> None:
    """The model with nothing inside it."""
    document = vouching.attested_model(FILES, name=tenant.model, namespace=tenant.namespace)
    document["metadata"] = {"name": tenant.model, "namespace": tenant.namespace}
    document["spec"] |= sources
    tenant.installation.apply(document)


def sources(tenant: Tenant) -> dict[str, dict[str, Any]]:
    """The model's ``status.sources`` by name."""
    model = tenant.installation.get("attestedmodel", tenant.model, tenant.namespace)
    return {s["name"]: s for s in (model.get("status") or {}).get("sources") or ()}


def publish(registry: RealRegistry, tenant: Tenant) -> str:
    """Push a model with its signature and its gate's result; the reference."""

    async def push() -> str:
        reference = await registry.put_model()
        bundle = vouching.bundle(FILES, tenant.owner)
        await registry.attach(reference, bundle, BUNDLE_TYPE)
        await registry.attach(reference, gate(tenant), ENVELOPE_TYPE)
        return reference

    return asyncio.run(push())


def by_referrers(reference: str) -> dict[str, Any]:
    """Everything attached to the reference."""
    source = [{"name": "registry", "ociReferrers": {"reference": reference}}]
    return {"signaturesFrom": source, "evidenceFrom": source}


@pytest.mark.requirement("evidence is read from OCI referrers of a real registry")
@pytest.mark.requirement(
    "fault: registry down, slow, lying: converges, nothing admitted in between"
)
def test_a_registry_from_publishing_to_lying(
    installed: Installation, member: Part, registry: RealRegistry, tenant: Tenant
) -> None:
    """Certified; away: kept, also by an operator that was killed and begins; FAILED: denied."""
    with registry.running(), installed.operator() as operator:
        reference = publish(registry, tenant)
        put_model(tenant, **by_referrers(reference))
        tenant.put_pod()
        tenant.await_condition("Ready", "True", "Verified")
        assert tenant.conditions()["SourcesRead"] == ("True", "Fetched")
        (document,) = sources(tenant)["registry"]["documents"]
        assert document["size"] > 100
        eventually(lambda: tenant.gates() == [], "the gate is released")
        assert tenant.certificates()
        operator.stop(signal.SIGKILL)
    revoked = member.metric(REVOCATIONS)
    with installed.operator() as operator:
        tenant.await_condition("SourcesRead", "Unknown", "RegistryUnavailable")
        assert tenant.conditions()["Ready"] == ("True", "Verified")
        with registry.running():
            tenant.await_condition("SourcesRead", "True", "Fetched", seconds=60.0)
            assert tenant.conditions()["Ready"] == ("True", "Verified")
        tenant.await_condition("SourcesRead", "False", "RegistryUnavailable")
        assert tenant.conditions()["Ready"] == ("True", "Verified")
        assert member.metric(REVOCATIONS) == revoked
        with registry.running():
            failed = gate(tenant, Outcome.FAILED, minutes=0)
            asyncio.run(registry.attach(reference, failed, ENVELOPE_TYPE))
            tenant.await_condition("Ready", "False", "GateFailed", seconds=60.0)
        assert member.metric(REVOCATIONS) > revoked


@pytest.mark.requirement("fault: a lying registry leads to no evidence, never to other evidence")
def test_a_registry_that_lies_from_the_beginning(
    installed: Installation, member: Part, registry: RealRegistry, tenant: Tenant
) -> None:
    """Other bytes than were published certify nothing, and the reason is in the status."""
    with registry.running():
        reference = publish(registry, tenant)
        registry.corrupt_all()
        with installed.operator():
            put_model(tenant, **by_referrers(reference))
            tenant.await_condition("SourcesRead", "False", "DigestMismatch")
            tenant.await_condition("Ready", "False", "NotSigned")


@pytest.mark.requirement("only registries that the platform lists are asked")
def test_a_registry_that_is_not_listed(
    installed: Installation, operator: Part, tenant: Tenant
) -> None:
    """Whoever writes the model does not choose whom the operator asks."""
    reference = f"169.254.169.254:80/latest/meta-data@sha256:{'0' * 64}"
    put_model(tenant, **by_referrers(reference))
    tenant.await_condition("SourcesRead", "False", "RegistryNotAllowed")
    tenant.await_condition("Ready", "False", "NotSigned")
    assert "evidence.registries" in sources(tenant)["registry"]["message"]


@pytest.mark.requirement("evidence is read from ConfigMaps that the namespace lets be read")
def test_config_maps_of_the_namespace(
    installed: Installation, member: Part, registry: RealRegistry, tenant: Tenant
) -> None:
    """Forbidden until the namespace binds the role, as the status says; then certified."""
    documents = {"bundle": vouching.bundle(FILES, tenant.owner), "envelope": gate(tenant)}
    installed.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "evidence", "namespace": tenant.namespace},
            "data": documents,
        }
    )
    with installed.operator():
        put_model(
            tenant,
            signaturesFrom=[{"name": "s", "configMap": {"name": "evidence", "key": "bundle"}}],
            evidenceFrom=[{"name": "e", "configMap": {"name": "evidence", "key": "envelope"}}],
        )
        tenant.await_condition("SourcesRead", "False", "Forbidden")
        tenant.await_condition("Ready", "False", "NotSigned")
        command = sources(tenant)["s"]["message"].partition("kubectl ")[2].rstrip(")")
        installed.kubectl(*command.split())
        tenant.await_condition("Ready", "True", "Verified", seconds=60.0)
        assert tenant.conditions()["SourcesRead"] == ("True", "Fetched")
