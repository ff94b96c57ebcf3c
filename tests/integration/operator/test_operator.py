"""The operator as a process, with a member as a process, at a real API server."""

import os
import signal
import subprocess
import time

import pytest

from quorate import names
from tests.integration.operator.installation import Installation, Part, eventually
from tests.integration.operator.tenant import Tenant

pytestmark = [pytest.mark.cluster]


@pytest.mark.requirement("operator: evidence → certificate → gate released")
def test_evidence_becomes_a_certificate_and_the_pod_is_released(
    operator: Part, tenant: Tenant
) -> None:
    """A signed and gated model is certified by a real member, and its pod loses our gate."""
    tenant.put_model()
    tenant.put_pod()
    tenant.await_condition("Ready", "True", "Verified")
    eventually(lambda: tenant.gates() == [], "the gate is released")
    policy = tenant.installation.get("clustersafetypolicy", tenant.namespace)
    accepted = policy["status"]["conditions"][0]
    assert (accepted["type"], accepted["status"]) == ("Accepted", "True")
    assert tenant.certificates()[0]["digest"] == policy["status"]["digest"]
    assert operator.metric("quorate_operator_gates_released_total") >= 1


@pytest.mark.requirement("gate missing → its own reason; the pod stays gated with an Event")
def test_model_without_its_gate_is_said_so_and_its_pod_waits(
    operator: Part, tenant: Tenant
) -> None:
    """Each condition has its own truth; adding the evidence releases the pod."""
    tenant.put_model(gated=False)
    tenant.put_pod()
    tenant.await_condition("GatesPassed", "False", "GateMissing")
    assert tenant.conditions()["Signed"] == ("True", "Verified")
    eventually(lambda: "CertificateMissing" in tenant.events(), "the pod has an Event")
    assert tenant.gates() == [names.SCHEDULING_GATE]
    tenant.put_model()
    eventually(lambda: tenant.gates() == [], "the gate is released")


@pytest.mark.requirement("key removed from the policy → condition flips within 10 s")
def test_key_removed_from_the_policy_flips_the_condition_in_time(
    operator: Part, tenant: Tenant
) -> None:
    """Another signer is asked for: the certificate goes, and a new pod is not released."""
    tenant.put_model()
    tenant.await_condition("Ready", "True", "Verified")
    tenant.set_floor(tenant.producer)
    tenant.await_condition("Ready", "False", "SignerNotTrusted", seconds=10.0)
    assert tenant.certificates() == []
    tenant.put_pod()
    eventually(lambda: "CertificateMissing" in tenant.events(), "the pod has an Event")
    assert tenant.gates() == [names.SCHEDULING_GATE]


@pytest.mark.requirement("operator: re-verifies before expiry")
def test_certificate_is_renewed_before_it_expires(operator: Part, tenant: Tenant) -> None:
    """At half of its life a new one replaces it; Ready never leaves True."""
    tenant.put_model()
    tenant.await_condition("Ready", "True", "Verified")
    first = tenant.certificates()[0]["expiresAt"]
    seen: set[tuple[str, str]] = set()

    def renewed() -> bool:
        seen.add(tenant.conditions()["Ready"])
        return bool(tenant.certificates()[0]["expiresAt"] > first)

    took = eventually(renewed, "the certificate is renewed", 45.0)
    assert took < 40.0
    assert seen == {("True", "Verified")}


@pytest.mark.requirement("relay: the member knows policies, models and protected pods")
def test_member_is_told_of_what_is_protected(operator: Part, member: Part, tenant: Tenant) -> None:
    """A pod counts from its creation until it is gone."""

    def known(kind: str) -> float:
        return member.metric("quorate_member_observed_objects", f'{{kind="{kind}"}}')

    eventually(lambda: known("policies") >= 1, "the floor is known")
    pods = known("pods")
    tenant.put_model()
    tenant.put_pod()
    eventually(lambda: known("pods") == pods + 1, "the pod is known")
    tenant.installation.kubectl("-n", tenant.namespace, "delete", "pod", "chat", "--now")
    eventually(lambda: known("pods") == pods, "the pod is forgotten")


@pytest.mark.requirement("operator restart: no failed request, nothing judged twice")
def test_killed_operator_takes_up_where_it_was(
    installed: Installation, member: Part, tenant: Tenant
) -> None:
    """A new process in the same pod holds the Lease at once and believes proven statuses."""
    with installed.operator() as first:
        tenant.put_model()
        tenant.await_condition("Ready", "True", "Verified")
        first.stop(signal.SIGKILL)
    before = installed.get("attestedmodel", tenant.model, tenant.namespace)
    with installed.operator() as second:
        tenant.put_pod()
        eventually(lambda: tenant.gates() == [], "the gate is released")
        judged = second.metric("quorate_operator_evaluations_total", '{outcome="certified"}')
        after = installed.get("attestedmodel", tenant.model, tenant.namespace)
        expires = {c["expiresAt"] for c in before["status"]["certificates"]}
        if expires == {c["expiresAt"] for c in after["status"]["certificates"]}:
            assert judged == 0
            assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


@pytest.mark.requirement("operator: loses its Lease → exits non-zero at once")
def test_stolen_lease_ends_the_process(installed: Installation, member: Part) -> None:
    """Whoever holds the Lease now works alone: the former holder is gone within seconds."""
    with installed.operator() as operator:
        patch = '{"spec":{"holderIdentity":"somebody-else"}}'
        lease = ("patch", "lease", "quorate-operator", "--type=merge", "-p", patch)
        installed.kubectl("-n", names.NAMESPACE, *lease)
        eventually(lambda: operator.process.poll() is not None, "the process ended")
        assert operator.process.returncode == 4
    patch = '{"spec":{"holderIdentity":""}}'
    lease = ("patch", "lease", "quorate-operator", "--type=merge", "-p", patch)
    installed.kubectl("-n", names.NAMESPACE, *lease)


@pytest.mark.requirement("operator: works under an own Lease")
def test_second_operator_waits_and_takes_over(
    installed: Installation, member: Part, tenant: Tenant
) -> None:
    """Alive but not ready while the first works; after its graceful end, at work in seconds."""
    with (
        installed.operator() as first,
        installed.operator(wait=False, QUORATE_POD_NAME="quorate-operator-1") as second,
    ):
        eventually(lambda: second.get("/healthz")[0] == 200, "the second is alive")
        assert second.get("/readyz") == (503, "waiting for the Lease\n")
        begun = time.monotonic()
        assert first.stop() == 0
        assert time.monotonic() - begun < 5.0
        eventually(second.ready, "the second took over", 15.0)
        tenant.put_model()
        tenant.await_condition("Ready", "True", "Verified")


@pytest.mark.requirement("operator: rotates serving leaves")
def test_spoilt_serving_certificate_is_replaced(installed: Installation, member: Part) -> None:
    """With only the rights the chart gives it, and not a moment before it must."""
    with installed.operator(QUORATE_LEAF_LIFE_SECONDS="60"):
        spoilt = '{"data":{"tls.crt":"eA==","tls.key":"eA=="}}'
        secret = ("patch", "secret", "quorate-webhook-tls", "--type=merge", "-p", spoilt)
        installed.kubectl("-n", names.NAMESPACE, *secret)

        def certificate() -> str:
            return str(installed.get("secret", "quorate-webhook-tls")["data"]["tls.crt"])

        eventually(lambda: certificate() != "eA==", "there is a certificate again", 15.0)
        first = certificate()
        took = eventually(lambda: certificate() != first, "it is rotated", 55.0)
        # It begins 30 s in the past, for clocks that are behind, and is due at two thirds.
        assert took > 20.0


def test_changed_configuration_ends_the_process(installed: Installation, member: Part) -> None:
    """The kubelet starts it again with what is mounted now."""
    path = installed.folder / "injection" / "injection.json"
    before = path.read_bytes()
    with installed.operator() as operator:
        installed.write("injection/injection.json", before + b"\n")
        eventually(lambda: operator.process.poll() is not None, "the process ended")
        assert operator.process.returncode == 1
        assert "ConfigChanged" in operator.text
    installed.write("injection/injection.json", before)


def test_operator_may_not_read_the_vote_key_nor_write_what_it_relies_on(
    installed: Installation,
) -> None:
    """A stolen operator token gains no vote key, no webhook configuration and no genesis.

    It deletes pods one by one, and the floor holds it to those that carry our sidecar.
    """
    account = f"--as={names.OPERATOR_USER}"
    for verb, what in (
        ("get", f"secret/{names.member_key('member-0')}"),
        ("update", "configmap/quorate-genesis"),
        ("create", "secrets"),
        ("patch", "validatingwebhookconfigurations/quorate"),
        ("delete", "validatingadmissionpolicies"),
        ("patch", "attestedmodels"),
        ("patch", "clustersafetypolicies"),
        ("deletecollection", "pods"),
        ("create", "pods"),
    ):
        environment = {**os.environ, "KUBECONFIG": str(installed.plane.kubeconfig)}
        command = [installed.plane.kubectl_path, "auth", "can-i", verb, what, account]
        done = subprocess.run(
            [*command, "-n", names.NAMESPACE], env=environment, capture_output=True, text=True
        )
        assert done.stdout.strip() == "no", (verb, what)
