"""Changing, releasing and binding pods on a real API server."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from quorate import names
from tests.contract.webhook.ground import Ground, bare, eventually
from tests.contract.webhook.plane import Answer
from tests.fakes import exceptions
from tests.fakes.vouching import Committee, signer
from tests.unit.admission.pod_builder import EXEMPT_IMAGE
from tests.unit.admission.world import FLOOR

Document = dict[str, Any]
OTHER_IMAGE = f"registry.quorate.test:5000/other@sha256:{'9' * 64}"
LATER = datetime.now(UTC) - timedelta(hours=2)


@pytest.fixture
def pod(ground: Ground) -> Iterator[Document]:
    """A good pod that is there, gated."""
    ground.put_model()
    found = eventually(lambda: _created(ground), "the model is known")
    yield found
    ground.delete(found)


def _created(ground: Ground) -> Document | None:
    answer = ground.create(ground.pod(name="changing"), dry_run=False)
    return answer.body if answer.accepted else None


def released(ground: Ground, pod: Document) -> Document:
    """The pod without its gate, as the operator leaves it."""
    eventually(lambda: ground.release(pod, user=names.OPERATOR_USER).accepted, "the release")
    return ground.read(pod)


def uncertified(ground: Ground) -> None:
    """The model's certificate has expired."""
    ground.put_model([ground.certificate(now=LATER)])


def replace(path: str, value: Any) -> Document:
    return {"op": "add", "path": path, "value": value}


@pytest.mark.requirement("gate removal by another identity → denied")
def test_only_the_operator_releases(ground: Ground, pod: Document) -> None:
    """An administrator is refused; the operator is not."""
    for who in ("", "kubernetes-admin", "system:serviceaccount:quorate-system:quorate-webhook"):
        message = ground.release(pod, user=who).message
        assert "SchedulingGateHeld" in message
        assert "kubectl quorate explain pod/team-enforce/changing" in message
    assert ground.release(pod, user=names.OPERATOR_USER).accepted


@pytest.mark.requirement("gate removal by the operator for a pod that would not pass → denied")
def test_the_operator_releases_only_what_passes_now(ground: Ground, pod: Document) -> None:
    """Without a certificate, with an expired one or with one by a stranger: refused."""
    cases: list[tuple[list[Document], str]] = [
        ([], "CertificateMissing"),
        ([ground.certificate(now=LATER)], "CertificateExpired"),
        ([ground.certificate(committee=Committee())], "CertificateInvalid"),
        ([ground.certificate(model="other")], "CertificateInvalid"),
        ([ground.certificate(policy_digest=f"sha256:{'0' * 64}")], "CertificateInvalid"),
    ]
    for certificates, reason in cases:
        ground.put_model(certificates)
        eventually(partial(_refused_release, ground, pod, reason), reason)


def _refused_release(ground: Ground, pod: Document, reason: str) -> bool:
    answer = ground.patch(
        pod,
        {"op": "remove", "path": "/spec/schedulingGates"},
        query="?dryRun=All",
        user=names.OPERATOR_USER,
    )
    return reason in answer.message


@pytest.mark.requirement("UPDATE judges changes only")
@pytest.mark.parametrize("gated", [True, False])
def test_metadata_changes_need_no_evidence(ground: Ground, pod: Document, gated: bool) -> None:
    """Finalizers, annotations, owners and harmless labels go on when all evidence has ended."""
    if not gated:
        released(ground, pod)
    uncertified(ground)
    eventually(lambda: ground.admitted() or True, "the change is seen")
    operations = [
        replace("/metadata/finalizers", ["example.com/held"]),
        replace("/metadata/annotations", {"note": "harmless"}),
        replace("/metadata/labels/note", "harmless"),
        replace("/spec/tolerations", [*pod["spec"]["tolerations"], {"operator": "Exists"}]),
        replace("/spec/activeDeadlineSeconds", 3600),
    ]
    for operation in operations:
        answer = ground.patch(pod, operation)
        assert answer.accepted, answer.message


@pytest.mark.requirement("UPDATE judges changes: an image swap → denied")
@pytest.mark.parametrize("state", ["gated", "released", "terminating"])
def test_what_runs_cannot_be_changed(ground: Ground, pod: Document, state: str) -> None:
    """Images of server and sidecar, the model's label: in every state of the pod."""
    if state != "gated":
        released(ground, pod)
    if state == "terminating":
        ground.patch(pod, replace("/metadata/finalizers", ["example.com/held"]))
        ground.api.request("DELETE", ground.path(pod))
        assert "deletionTimestamp" in ground.read(pod)["metadata"]
    label = f"/metadata/labels/{names.MODEL_LABEL.replace('/', '~1')}"
    for operation, reason in (
        (replace("/spec/containers/0/image", OTHER_IMAGE), "ServerImageNotAllowed"),
        (replace("/spec/initContainers/1/image", OTHER_IMAGE), "InjectionDiffers"),
        (replace("/spec/initContainers/0/image", OTHER_IMAGE), "InjectionDiffers"),
        (replace(label, "other"), "GuardedFieldChanged"),
        ({"op": "remove", "path": label}, "GuardedFieldChanged"),
        (replace("/metadata/labels/app", "other"), "GuardedFieldChanged"),
    ):
        for who in ("", names.OPERATOR_USER):
            assert reason in ground.patch(pod, operation, user=who).message


@pytest.mark.requirement("pods/ephemeralcontainers")
def test_no_debugging_container_enters(ground: Ground, pod: Document) -> None:
    """kubectl debug is refused with a remedy."""
    debug = {"name": "debug", "image": OTHER_IMAGE, "terminationMessagePolicy": "File"}
    answer = ground.patch(
        pod, replace("/spec/ephemeralContainers", [debug]), sub_resource="ephemeralcontainers"
    )
    assert "EphemeralContainer" in answer.message
    assert "fix: " in answer.message


CHIEF = signer()
SYSTEM = ("-n", names.NAMESPACE)


def debug(ground: Ground, pod: Document, **fields: Any) -> Answer:
    """kubectl debug, under a dry run: nothing can be taken out of a pod again."""
    container = {"name": "debug", "image": OTHER_IMAGE, "terminationMessagePolicy": "File"}
    return ground.patch(
        pod,
        replace("/spec/ephemeralContainers", [container | fields]),
        sub_resource="ephemeralcontainers",
        query="?dryRun=All",
    )


def approve(ground: Ground, life: timedelta) -> None:
    """An approved exception for the pod's workload, whose incident is open."""
    now = datetime.now(UTC).replace(microsecond=0)
    workload = {"namespace": ground.namespace()}
    document = bare(
        exceptions.exception(
            *("EphemeralContainers", CHIEF),
            name="debug",
            decided_at=now,
            life=life,
            workload=workload,
        )
    )
    status = json.dumps({"status": document.pop("status")})
    ground.plane.namespace(names.NAMESPACE)
    ground.plane.apply(document)
    patch = ("--subresource=status", "--type=merge", "-p", status)
    ground.plane.kubectl("patch", "safetyexception", "debug", *patch, *SYSTEM)


@pytest.mark.requirement("ephemeral containers into a model pod are refused unless an exception")
def test_an_exception_lets_a_debugging_container_in(ground: Ground, pod: Document) -> None:
    """While it is approved, into a pod that runs, and not near the injected containers."""
    released(ground, pod)
    assert ground.bind(pod).accepted
    floor = ground.floor(exceptions=exceptions.approvers(CHIEF))
    ground.plane.apply(floor)
    try:
        assert "SafetyException" in debug(ground, pod).message
        approve(ground, timedelta(seconds=15))
        eventually(lambda: debug(ground, pod).accepted, "the exception", 10)
        near = debug(ground, pod, targetContainerName=names.SIDECAR_CONTAINER).message
        assert "must not share processes with an injected container" in near
        eventually(lambda: "EphemeralContainer" in debug(ground, pod).message, "its end", 20)
    finally:
        ground.plane.kubectl("delete", "safetyexception", "debug", "--ignore-not-found", *SYSTEM)
        ground.plane.apply(ground.floor())
        eventually(ground.admitted, "the policy as it was")


@pytest.mark.requirement("resize of the injected containers → denied")
def test_only_the_servers_resources_are_resized(ground: Ground, pod: Document) -> None:
    """By the resize subresource, with all evidence expired."""
    released(ground, pod)
    ground.bind(pod)
    uncertified(ground)
    server = replace("/spec/containers/0/resources/requests/cpu", "150m")
    answer = ground.patch(pod, server, sub_resource="resize")
    assert answer.accepted, answer.message
    sidecar = [
        replace(f"/spec/initContainers/1/resources/{kind}/cpu", "1m")
        for kind in ("limits", "requests")
    ]
    message = ground.patch(pod, *sidecar, sub_resource="resize").message
    assert "InjectionDiffers" in message


@pytest.mark.requirement("pods/binding and bindings re-check that the pod still passes")
@pytest.mark.parametrize("legacy", [False, True], ids=["pods/binding", "bindings"])
def test_binding_is_judged_at_its_moment(ground: Ground, pod: Document, legacy: bool) -> None:
    """Released while certified, bound only while certified."""
    released(ground, pod)
    uncertified(ground)

    def refused() -> bool:
        answer = ground.bind(pod, legacy=legacy, query="?dryRun=All")
        return "CertificateExpired" in answer.message

    eventually(refused, "the expired certificate is seen")
    ground.put_model()
    eventually(lambda: ground.bind(pod, legacy=legacy).accepted, "the certificate is seen")
    assert ground.read(pod)["spec"]["nodeName"] == "node-1"


@pytest.mark.requirement("pods/binding re-checks that the pod still passes")
def test_a_pod_is_bound_as_soon_as_it_is_there(ground: Ground) -> None:
    """A scheduler that is faster than our watch is not refused."""
    for index in range(5):
        metadata = {"name": f"quick-{index}", "namespace": ground.namespace()}
        labels = {"labels": {"app": "chat"}}
        spec = {"containers": [{"name": "batch", "image": EXEMPT_IMAGE}]}
        document = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata | labels, "spec": spec}
        quick = ground.created(document)
        answer = ground.bind(quick)
        assert answer.accepted, answer.message
        ground.delete(quick)


def test_a_binding_for_another_incarnation_is_refused(ground: Ground, pod: Document) -> None:
    """The uid in a binding is that of the pod that was judged."""
    released(ground, pod)
    another = pod | {"metadata": pod["metadata"] | {"uid": "11111111-1111-1111-1111-111111111111"}}
    assert not ground.bind(another).accepted


@pytest.mark.requirement("key removed from the policy → new pods are denied within 10 s")
def test_a_policy_change_counts_at_once(ground: Ground, pod: Document) -> None:
    """A narrower policy refuses what was admitted a moment ago; the wider one admits it again."""
    ground.plane.apply(ground.floor(model=FLOOR["model"] | {"servers": []}))
    eventually(lambda: not ground.admitted(), "the narrower policy", 10)
    assert "ServerImageNotAllowed" in ground.create(ground.pod()).message
    ground.plane.apply(ground.floor())
    eventually(ground.admitted, "the wider policy", 10)


@pytest.mark.requirement("the tenant deletes its SafetyPolicy → still denied")
def test_a_tenants_policy_only_narrows(ground: Ground) -> None:
    """What the tenant adds holds besides the floor; what it deletes opens nothing."""
    ground.put_model()
    own = json.loads(json.dumps(ground.floor()))
    own["kind"] = "SafetyPolicy"
    own["metadata"] = {"name": "own", "namespace": ground.namespace()}
    del own["spec"]["exemptImages"]
    own["spec"]["model"]["servers"] = []
    ground.plane.apply(own)
    eventually(lambda: not ground.admitted(), "the tenant's policy")
    ground.plane.kubectl("-n", ground.namespace(), "delete", "safetypolicy", "own")
    eventually(ground.admitted, "its deletion")

    def other(pod: Document) -> None:
        pod["metadata"]["labels"][names.MODEL_LABEL] = "nobody"

    assert "AttestedModelNotFound" in ground.create(ground.pod(other)).message


@pytest.mark.requirement("an error in a policy is a DENY")
def test_what_the_operator_saw_fail_is_said_at_once(ground: Ground) -> None:
    """A failed requirement in the status refuses new pods with the operator's words."""
    compiled = next(iter(ground.world.policies.values()))
    failed = ground.world.report(compiled, status="False", reason="GateFailed", message="2 of 9")
    ground.put_model(policies=[failed])

    def refused() -> bool:
        return "GateFailed: 2 of 9" in ground.create(ground.pod()).message

    eventually(refused, "the report")
    ground.put_model()
    eventually(ground.admitted, "the model is good again")
