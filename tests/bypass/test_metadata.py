"""Labels, annotations, names and status: what a tenant writes decides nothing in its favour."""

import json
from datetime import timedelta

import pytest

from quorate import names
from tests.bypass.ground import APPLY, JSON_PATCH, Ground, denied
from tests.e2e.tenant import eventually
from tests.fakes.vouching import policy, signer, signers

IGNORE = {
    "quorate.dev/ignore": "true",
    "quorate.dev/mode": "audit",
    "quorate.dev/skip": "true",
    "admission.gatekeeper.sh/ignore": "true",
    "policy.sigstore.dev/include": "false",
    "validation.ml.sigstore.dev/ignore": "true",
}
WEAKEN = {
    "quorate.dev/verified": "true",
    "quorate.dev/mode": "warn",
    "quorate.dev/ignore-paths": "*",
    "quorate.dev/ignore-unsigned-files": "true",
    "quorate.dev/allow-symlinks": "true",
    "validation.ml.sigstore.dev/ignore-unsigned-files": "true",
    "kyverno.io/verify-images": '{"*":"pass"}',
}


@pytest.mark.bypass("E05")
def test_class_e05_opt_in_labels(ground: Ground) -> None:
    """A pod without labels is refused, one with ignore labels too; the mode stays."""
    reasons = ("NoPolicySelectsPod", "NoClusterPolicySelectsPod", "NoModelLabel")
    bare = dict.fromkeys((*ground.tenant.labels, names.MODEL_LABEL))
    denied(ground.try_pod(labels=bare), *reasons)
    denied(ground.try_pod(labels={**bare, **IGNORE}), *reasons)
    denied(ground.try_pod(labels={names.MODEL_LABEL: None, **IGNORE}), *reasons)
    namespace = f"/api/v1/namespaces/{ground.namespace}"
    for value in ("audit", "warn", "Enforce", None):
        change = {"metadata": {"labels": {names.MODE_LABEL: value}}}
        for part in ("", "/status"):
            denied(ground.patch(namespace + part, change), "GuardedFieldChanged")
    stored = ground.admin.request("GET", namespace).body
    del stored["metadata"]["labels"][names.MODE_LABEL]
    for part in ("", "/status", "/finalize"):
        answer = ground.attacker.request("PUT", namespace + part, stored)
        denied(answer, "GuardedFieldChanged")
    applied = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": ground.namespace, "labels": {names.MODE_LABEL: "audit"}},
    }
    forced = f"{namespace}?fieldManager=attack&force=true"
    denied(ground.patch(forced, applied, APPLY), "GuardedFieldChanged")
    found = ground.admin.request("GET", namespace).body["metadata"]["labels"]
    assert found[names.MODE_LABEL] == "enforce"
    harmless = {"metadata": {"labels": {"note": "harmless"}}}
    assert ground.patch(namespace, harmless).message == ""


@pytest.mark.bypass("E07")
def test_class_e07_annotations_that_weaken(ground: Ground) -> None:
    """A model nobody trusted signed stays refused, and a spoilt one does not start."""
    tenant = ground.tenant
    owner, tenant.owner = tenant.owner, signer()
    stranger = tenant.attested("weak")
    tenant.owner = owner
    stranger["metadata"]["annotations"] = WEAKEN
    ground.never_certified({"annotated": (stranger, ("SignerNotTrusted",))})
    said = ground.try_pod(model="weak", annotations=WEAKEN).message
    assert "SignerNotTrusted" in said


@pytest.mark.bypass("E08")
def test_class_e08_a_forged_verdict(ground: Ground) -> None:
    """Status and annotations of the tenant's making release nothing."""
    tenant = ground.tenant
    owner, tenant.owner = tenant.owner, signer()
    ground.put(tenant.attested("forged"))
    tenant.owner = owner
    status = json.loads(json.dumps(ground.model("demo")["status"]))
    path = ground.path("attestedmodels", "forged", "quorate.dev/v1alpha1") + "/status"
    accepted = []

    def forge() -> bool:
        fresh = ground.model("forged")
        status["observedGeneration"] = fresh["metadata"]["generation"]
        ground.patch(path, {"status": status})
        answer = ground.try_pod(model="forged", annotations=WEAKEN)
        if answer.accepted:
            accepted.append(answer.body["metadata"]["name"])
        return bool(accepted)

    for _ in range(5):
        if forge():
            break
    removal = [{"op": "remove", "path": "/spec/schedulingGates"}]
    for name in accepted:
        pod = ground.path("pods", name)
        denied(ground.patch(pod, removal, JSON_PATCH), "SchedulingGateHeld")
        ground.patch(path, {"status": status})
        assert ground.pod(name)["spec"]["schedulingGates"]
        assert not ground.pod(name)["spec"].get("nodeName")
        ground.attacker.request("DELETE", pod)

    def refused() -> bool:
        answer = ground.try_pod(model="forged", annotations=WEAKEN)
        if answer.accepted:
            ground.withdraw()
        return "SignerNotTrusted" in answer.message

    eventually(refused, "the operator wrote the truth again", seconds=30)


@pytest.mark.bypass("E09")
def test_class_e09_vacuous_truth(ground: Ground) -> None:
    """Neither no policy, nor a weak one of the tenant's, nor a platform policy that asks for
    nothing lets a pod in."""
    own = policy({}, name="vacuous", namespace=ground.namespace,
                 selector={"matchLabels": {"vacuous": "own"}})  # fmt: skip
    del own["metadata"]["uid"], own["metadata"]["generation"]
    path = ground.path("safetypolicies", "", "quorate.dev/v1alpha1")
    assert ground.attacker.request("POST", path, own).accepted
    empty = f"{ground.namespace}-vacuous"
    platform = policy({}, name=empty, selector={"matchLabels": {"vacuous": "platform"}})
    del platform["metadata"]["uid"], platform["metadata"]["generation"]
    ground.put(platform)
    reasons = ("NoPolicySelectsPod", "NoClusterPolicySelectsPod")
    try:
        for kind in ("own", "platform", "nobody"):
            labels = {**dict.fromkeys(ground.tenant.labels), "vacuous": kind}

            def refused(labels: dict[str, str | None] = labels) -> bool:
                said = denied(ground.try_pod(labels=labels))
                return any(reason in said for reason in reasons)

            eventually(refused, f"{kind}: refused for its own reason", seconds=15)
    finally:
        ground.tenant.cluster.kubectl("delete", "clustersafetypolicy", empty)
        ground.tenant.kubectl("delete", "safetypolicy", "vacuous")


@pytest.mark.bypass("E25")
def test_class_e25_posing_as_a_mirror(ground: Ground) -> None:
    """The mirror's annotation helps nobody but a node."""
    mirror = {
        "kubernetes.io/config.mirror": "0" * 32,
        "kubernetes.io/config.source": "file",
        "kubernetes.io/config.hash": "0" * 32,
    }
    answer = ground.try_pod(model="nobody", annotations=mirror)
    denied(answer, "AttestedModelNotFound", "mirror pod")


@pytest.mark.bypass("P06")
def test_class_p06_selectors_and_lookups(ground: Ground) -> None:
    """A pod cannot step out of a stricter policy, at creation or later."""
    strict = f"{ground.namespace}-strict"
    asks = policy(
        {"model": {"signers": signers(signer())}},
        name=strict,
        selector={
            "matchLabels": ground.tenant.labels | {names.MODEL_LABEL: "p06"},
            "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["basic"]}],
        },
    )
    del asks["metadata"]["uid"], asks["metadata"]["generation"]
    try:
        ground.put(asks, ground.tenant.attested("p06"))
        for value in (None, "", "Basic"):
            labels = {"tier": value}

            def refused(labels: dict[str, str | None] = labels) -> bool:
                answer = ground.try_pod(model="p06", labels=labels)
                if answer.accepted:
                    ground.withdraw()  # gated: nobody has judged the model yet
                return "SignerNotTrusted" in answer.message

            eventually(refused, "selected by the strict policy")
        none = dict.fromkeys(ground.tenant.labels)
        answer = ground.try_pod(model="p06", labels={**none, "tier": "basic"})
        denied(answer, "NoPolicySelectsPod", "NoClusterPolicySelectsPod")
    finally:
        ground.tenant.cluster.kubectl("delete", "clustersafetypolicy", strict)
    outside = [{"op": "remove", "path": f"/metadata/labels/{next(iter(ground.tenant.labels))}"}]
    denied(ground.patch(ground.path("pods", "demo"), outside, JSON_PATCH), "GuardedFieldChanged")


@pytest.mark.bypass("E14")
def test_class_e14_a_swallowed_error(ground: Ground) -> None:
    """A condition that cannot be evaluated denies; so does a policy that does not compile."""
    tenant = ground.tenant
    gate = {
        "name": "broken",
        "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
        "producers": signers(tenant.lab),
        "maxAgeSeconds": 86_400,
        "suites": [f"sha256:{'1' * 64}"],
        "condition": "predicate.noSuchField.deeper == 1",
    }
    own = policy({"model": {"gates": [gate]}}, name="erring", namespace=ground.namespace,
                 selector={"matchLabels": {names.MODEL_LABEL: "e14"}})  # fmt: skip
    del own["metadata"]["uid"], own["metadata"]["generation"]
    try:
        ground.put(own)
        files = tenant.models["good"].files
        fresh = tenant.gate(files, age=timedelta(minutes=2))
        model = tenant.attested("e14", gates=(fresh,))
        ground.never_certified({"a condition that errs": (model, ("Gate",))})
        gate["condition"] = "1 +"
        applied = ground.patch(
            ground.path("safetypolicies", "erring", "quorate.dev/v1alpha1"),
            {"spec": {"model": {"gates": [gate]}}},
        )
        if applied.accepted:
            # Whatever names the namespace, the demo's pods included.
            eventually(
                lambda: "InvalidPolicy" in denied(ground.try_pod()),
                "a policy that does not compile denies its namespace",
                seconds=15,
            )
    finally:
        tenant.kubectl("delete", "safetypolicy", "erring")
    # Let the policy's end arrive before the next test.
    eventually(
        lambda: "InvalidPolicy" not in ground.try_pod(model="nobody").message,
        "the policy is gone",
        seconds=15,
    )
