"""Pods that somebody else creates: controllers, later admission, parents admitted long ago."""

import copy
import json
import time
from datetime import timedelta
from typing import Any

import pytest

from quorate import names
from tests.bypass.ground import Document, Ground, denied
from tests.e2e.tenant import condition, eventually

_STATES = ("state", "lastState")
SPOILT = f"registry.example.test/other@sha256:{'0' * 64}"


def workload(ground: Ground, kind: str, name: str) -> tuple[str, Document]:
    """Path and document of a controller for pods of a model that does not exist."""
    pod = ground.tenant.pod(name, model="nobody")
    template = {"metadata": {"labels": pod["metadata"]["labels"]}, "spec": pod["spec"]}
    selector: Any = {"matchLabels": {"app": name}}
    spec: Document = {"template": template, "replicas": 1, "selector": selector}
    version, plural = "apps/v1", kind.lower() + "s"
    if kind in ("Job", "CronJob"):
        version = "batch/v1"
        template["spec"]["restartPolicy"] = "Never"
        spec = {"template": template, "backoffLimit": 0}
    if kind == "CronJob":
        spec = {"schedule": "* * * * *", "jobTemplate": {"spec": spec}}
    if kind == "DaemonSet":
        del spec["replicas"]
    if kind == "StatefulSet":
        spec["serviceName"] = name
    if kind == "ReplicationController":
        version, spec["selector"] = "v1", selector["matchLabels"]
    meta = {"name": name, "namespace": ground.namespace}
    group = "" if version == "v1" else version
    document = {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec}
    return ground.path(plural, "", group), document


KINDS = (
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "Job",
    "CronJob",
)


@pytest.mark.bypass("E23")
def test_class_e23_workload_templates(ground: Ground) -> None:
    """Every kind of controller is told why its pods are refused, and gets none."""
    made = []
    for kind in KINDS:
        path, document = workload(ground, kind, f"e23-{kind.lower()}")
        answer = ground.attacker.request("POST", path, document)
        assert answer.message == ""
        made.append(f"{path}/{document['metadata']['name']}")
    template = ground.tenant.pod("template", model="nobody")
    stored = {
        "apiVersion": "v1",
        "kind": "PodTemplate",
        "metadata": {"name": "template", "namespace": ground.namespace},
        "template": {"metadata": template["metadata"], "spec": template["spec"]},
    }
    assert ground.attacker.request("POST", ground.path("podtemplates"), stored).accepted
    waiting = {kind for kind in KINDS if kind not in ("CronJob", "Deployment")}

    def refused() -> bool:
        events = ground.tenant.get("events")["items"]
        heard = {
            event["involvedObject"]["kind"]
            for event in events
            if event["reason"] == "FailedCreate" and "AttestedModelNotFound" in event["message"]
        }
        return waiting <= heard

    try:
        eventually(refused, f"{waiting} were refused their pods", seconds=30)
        pods = ground.tenant.get("pods")["items"]
        assert [p for p in pods if p["metadata"]["name"].startswith("e23")] == []
    finally:
        for path in made:
            ground.attacker.request("DELETE", f"{path}?propagationPolicy=Background")


def _mutation(name: str, expression: str, namespace: str) -> list[Document]:
    """An admission policy that changes every pod of a namespace."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"]}
    mutation = {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}
    spec = {
        "matchConstraints": {"resourceRules": [rule | {"resources": ["pods"]}]},
        "mutations": [mutation],
        "reinvocationPolicy": "IfNeeded",
        "failurePolicy": "Fail",
    }
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    bound = {"policyName": name, "matchResources": {"namespaceSelector": selector}}
    return [
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": body,
        }
        for kind, body in (
            ("MutatingAdmissionPolicy", spec),
            ("MutatingAdmissionPolicyBinding", bound),
        )
    ]


@pytest.mark.bypass("E22")
def test_class_e22_another_webhook_after_ours(ground: Ground) -> None:
    """Whatever else changes a pod at admission, the final one is judged."""
    name = f"{ground.namespace}-late"
    kinds = ("mutatingadmissionpolicybinding", "mutatingadmissionpolicy")
    # Only once ours are there: what is changed is what we added.
    added = "has(object.spec.initContainers) && object.spec.initContainers.size() > 1"
    gated = "has(object.spec.schedulingGates)"

    def swap(path: str) -> str:
        return f"[JSONPatch{{op: 'replace', path: '/spec/{path}/image', value: '{SPOILT}'}}]"

    ungate = "[JSONPatch{op: 'remove', path: '/spec/schedulingGates'}]"
    changes = {
        "the server's image": swap("containers/0"),
        "the sidecar's image": f"{added} ? {swap('initContainers/1')} : []",
        "the gate": f"{gated} ? {ungate} : []",
    }
    reasons = ("ServerImageNotAllowed", "InjectionDiffers", "SchedulingGateMissing")
    for title, expression in changes.items():
        try:
            ground.put(*_mutation(name, expression, ground.namespace))

            if title == "the gate":
                # Asked again, mutate adds it again: refused or gated, never without.
                for _ in range(10):
                    query = ground.path("pods") + "?dryRun=All"
                    pod = ground.tenant.pod("attack")
                    answer = ground.attacker.request("POST", query, pod)
                    assert (
                        not answer.accepted
                        or {"name": names.SCHEDULING_GATE}
                        in (answer.body["spec"]["schedulingGates"])
                    )
                    time.sleep(0.3)
                continue

            def judged() -> bool:
                answer = ground.try_pod()
                if answer.accepted:
                    ground.withdraw()
                return any(reason in answer.message for reason in reasons)

            eventually(judged, f"{title}: the final pod is refused", seconds=30)
        finally:
            for kind in kinds:
                ground.tenant.cluster.kubectl("delete", kind, name, "--ignore-not-found")

    def over() -> bool:
        query = ground.path("pods") + "?dryRun=All"
        return ground.attacker.request("POST", query, ground.tenant.pod("attack")).accepted

    eventually(over, "the other policy is gone", seconds=30)


@pytest.mark.bypass("E32")
def test_class_e32_serving_before_it_is_measured(ground: Ground) -> None:
    """Measuring is no native sidecar and comes before it; a spoilt model's server never starts."""
    tenant = ground.tenant
    weaken = {"quorate.dev/ignore-unsigned-files": "true", "quorate.dev/allow-symlinks": "true"}
    model = tenant.attested("spoilt", image="added-file")
    model["metadata"]["annotations"] = weaken
    ground.put(model)
    tenant.certified("spoilt")
    pod = tenant.pod("spoilt", model="spoilt", image="added-file")
    pod["metadata"]["annotations"] = weaken
    answer = ground.attacker.request("POST", ground.path("pods"), pod)
    assert answer.message == ""
    measure, sidecar = answer.body["spec"]["initContainers"]
    assert (measure["name"], sidecar["name"]) == (names.MEASURE_CONTAINER, names.SIDECAR_CONTAINER)
    assert "restartPolicy" not in measure

    def refused() -> str:
        statuses = ground.pod("spoilt").get("status", {}).get("initContainerStatuses", [])
        states = [status.get(when, {}) for status in statuses[:1] for when in _STATES]
        for state in states:
            if (state.get("terminated") or {}).get("exitCode"):
                return str(state["terminated"]["message"])
        return ""

    assert "not signed: extra.py" in eventually(refused, "measured and refused")
    (server,) = ground.pod("spoilt")["status"]["containerStatuses"]
    assert server["started"] is False
    assert server.get("lastState", {}) == {}
    ground.attacker.request("DELETE", ground.path("pods", "spoilt"))


@pytest.mark.bypass("E18")
def test_class_e18_children_approved_with_their_parent(ground: Ground) -> None:
    """A Deployment that was admitted gets no new pod once its evidence has expired."""
    tenant = ground.tenant
    left = timedelta(seconds=25)
    files = tenant.models["good"].files
    ground.put(tenant.attested("aging", gates=(tenant.gate(files, age=timedelta(days=1) - left),)))
    tenant.certified("aging")
    deployment = tenant.workload("Deployment", "aging", replicas=1)
    deployment["spec"]["template"]["metadata"]["labels"][names.MODEL_LABEL] = "aging"
    ground.put(deployment)

    def pods() -> list[Document]:
        items = tenant.get("pods", "-l", "app=aging")["items"]
        return [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]

    (first,) = eventually(pods, "the first pod was admitted", seconds=20)
    ground.meant.add(first["metadata"]["name"])
    try:
        eventually(
            lambda: condition(ground.model("aging"), "Ready") == "False",
            "the evidence has expired",
            seconds=60,
        )
        answer = ground.attacker.request(
            "DELETE", ground.path("pods", first["metadata"]["name"]) + "?gracePeriodSeconds=1"
        )
        assert answer.accepted

        def refused() -> bool:
            events = tenant.get("events", "--field-selector=reason=FailedCreate")["items"]
            return any("GateExpired" in event["message"] and "aging" in
                       event["involvedObject"]["name"] for event in events)  # fmt: skip

        eventually(refused, "the next pod is refused", seconds=30)
        assert pods() == [] or not any(condition(pod, "Ready") == "True" for pod in pods())
    finally:
        tenant.kubectl("delete", "deployment", "aging", "--wait=false")


@pytest.mark.bypass("E19")
def test_class_e19_a_webhook_that_fails_open(ground: Ground) -> None:
    """What is installed fails closed, within seconds, and stays when its server goes."""
    installed = ground.tenant.cluster.get("validatingwebhookconfiguration", "quorate")["webhooks"]
    found = [entry for entry in installed if "enforce" in json.dumps(entry["namespaceSelector"])]
    assert {entry["failurePolicy"] for entry in found} == {"Fail"}
    assert max(entry["timeoutSeconds"] for entry in found) <= 5
    covered = {name for e in found for rule in e["rules"] for name in rule["resources"]}
    subresources = {f"pods/{name}" for name in ("ephemeralcontainers", "resize", "binding")}
    assert {"pods", "bindings"} | subresources <= covered
    policies = ground.tenant.cluster.get("validatingadmissionpolicies")["items"]
    floor = [p for p in policies if p["metadata"]["name"].startswith("quorate-floor-")]
    assert floor
    assert {policy["spec"]["failurePolicy"] for policy in floor} == {"Fail"}
    bindings = ground.tenant.cluster.get("validatingadmissionpolicybindings")["items"]
    bound = {b["spec"]["policyName"]: b["spec"]["validationActions"] for b in bindings}
    assert {tuple(bound[policy["metadata"]["name"]]) for policy in floor} == {("Deny",)}


@pytest.mark.bypass("E20")
def test_class_e20_configuration_deleted(ground: Ground) -> None:
    """Rights on webhook configurations are not enough to change or delete ours."""
    cluster, name = ground.tenant.cluster, f"{ground.namespace}-webhooks"
    api = "rbac.authorization.k8s.io"
    kinds = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
    rule = {"apiGroups": ["admissionregistration.k8s.io"], "resources": list(kinds)}
    account = {"kind": "ServiceAccount", "name": "attacker", "namespace": ground.namespace}
    ground.put(
        {
            "apiVersion": f"{api}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": [rule | {"verbs": ["*"]}],
        },
        {
            "apiVersion": f"{api}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": name},
            "subjects": [account],
        },
    )
    saved = [cluster.get(kind, "quorate") for kind in kinds]
    open_: Document = {"webhooks": []}
    try:
        for kind in kinds:
            path = f"/apis/admissionregistration.k8s.io/v1/{kind}/quorate"

            def allowed(path: str = path) -> bool:
                return ground.attacker.request("GET", path).accepted

            eventually(allowed, "the right has arrived", seconds=10)
            before = ground.attacker.request("GET", path).body
            denied(ground.attacker.request("DELETE", path), "GuardedFieldChanged")
            denied(ground.patch(path, open_), "GuardedFieldChanged")
            changed = copy.deepcopy(before)
            changed["webhooks"][0]["failurePolicy"] = "Ignore"
            changed["webhooks"][0]["timeoutSeconds"] = 1
            denied(ground.attacker.request("PUT", path, changed), "GuardedFieldChanged")
            collection = ground.attacker.request("DELETE", path.rpartition("/")[0])
            denied(collection, "GuardedFieldChanged")
            assert ground.attacker.request("GET", path).body["webhooks"] == before["webhooks"]
    finally:
        for document in saved:
            metadata = document["metadata"]
            if cluster.kubectl("get", document["kind"], "quorate", "--ignore-not-found") == "":
                document["metadata"] = {k: metadata[k] for k in ("name", "labels", "annotations")}
                cluster.kubectl("create", "-f", "-", stdin=json.dumps(document))
        cluster.kubectl("delete", "clusterrolebinding", name)
        cluster.kubectl("delete", "clusterrole", name)
