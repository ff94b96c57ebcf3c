"""A floor of the test's own on the real API server: own names, own namespaces, own label."""

import copy
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from quorate import names
from quorate.admission import floor, mutate
from quorate.admission.audit_storage import AuditStorage
from quorate.admission.injection import InjectionConfig, Resources
from tests.contract.crds.installed import cluster_with_crds
from tests.contract.floor.api import Answer, Api
from tests.fakes.vouching import EXEMPT_DIGEST, OWNERS, SERVER_DIGEST

Pod = dict[str, Any]
Document = dict[str, Any]

CONFIG = InjectionConfig(
    image=f"registry.example.test/quorate/sidecar@sha256:{'c' * 64}",
    genesis_digest=f"sha256:{'d' * 64}",
    member_url="https://quorate-{member}.quorate-system.svc:8443",
    measure_resources=Resources("500m", "256Mi"),
    sidecar_resources=Resources("250m", "192Mi"),
    drain_seconds=5,
    members=("member-0", "member-1"),
)
ON_CLAIM = msgspec.structs.replace(CONFIG, audit=AuditStorage("1Gi", "records"))
"""The same with audit records on a claim."""
PREVIOUS_IMAGE = f"registry.example.test/quorate/sidecar@sha256:{'b' * 64}"
SERVER = f"registry.example.test/server@{SERVER_DIGEST}"
EXEMPT = f"registry.example.test/batch@{EXEMPT_DIGEST}"
LABEL = "contract-floor"
PARTS = (
    "injection",
    "required",
    "gate",
    "labels",
    "connect",
    "token",
    "mode",
    "restore",
    "configuration",
    "cordon",
    "parameter",
    "removal",
    "last",
)


@dataclass(frozen=True)
class Floor:
    """An installed floor and a namespace that it holds."""

    api: Api
    name: str
    namespace: str
    config: InjectionConfig

    def pod(self, **spec: Any) -> Pod:
        """A model pod as a tenant writes it."""
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "sample",
                "namespace": self.namespace,
                "labels": {"floor": self.name, names.MODEL_LABEL: "demo"},
            },
            "spec": {
                "containers": [
                    {
                        "name": "server",
                        "image": SERVER,
                        "volumeMounts": [
                            {"name": "model", "mountPath": "/model", "readOnly": True}
                        ],
                    }
                ],
                "volumes": [{"name": "model", "emptyDir": {}}],
                **spec,
            },
        }

    def injected(self, config: InjectionConfig | None = None, **spec: Any) -> Pod:
        """The same pod after mutate."""
        pod = self.pod(**spec)
        # What mutate adds is shared between callers; tests change it.
        operations = mutate.patch(pod, "model", config or self.config)
        return copy.deepcopy(mutate.apply(pod, operations))

    def create(self, pod: Pod, *, dry_run: bool = True, **request: Any) -> Answer:
        """Ask the API server to create the pod."""
        query = "?dryRun=All" if dry_run else ""
        path = f"/api/v1/namespaces/{self.namespace}/pods{query}"
        return self.api.request("POST", path, pod, **request)


@contextmanager
def installed(
    purpose: str, *, deny_unselected: str = "false", injection: InjectionConfig = CONFIG
) -> Iterator[Floor]:
    """Install a floor, wait until the API server holds it, and take everything away again."""
    cluster = cluster_with_crds()
    name = f"{LABEL}-{purpose}-{os.getpid()}"
    here = Floor(Api(cluster.kubeconfig), name, name, injection)
    system = f"{name}-system"
    own = _namespace(name, {LABEL: name})
    first = policy(name, name, {"matchLabels": {"floor": name}})
    config = floor.FloorConfig(
        injection, PREVIOUS_IMAGE, deny_unselected, prefix=name, namespace=system
    )
    try:
        cluster.apply(own, _namespace(system, {LABEL: name}), _genesis(system), first)
        cluster.apply(*(_only_here(document, name) for document in floor.policies(config)))
        cluster.apply(*_last(name))
        _wait(here)
        yield here
    finally:
        for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
            doomed = [f"{name}-{part}" for part in PARTS]
            cluster.kubectl("delete", kind, "--ignore-not-found", *doomed)
        cluster.kubectl("delete", "clustersafetypolicy", "-l", f"{LABEL}={name}")
        cluster.kubectl("delete", "namespace", "--ignore-not-found", "--wait=false", name, system)
        here.api.close()


def _only_here(document: Document, name: str) -> Document:
    """Bound to the test's namespace and the test's policies, instead of to every enforced one.

    The namespace carries no mode: an installation in the same cluster does not judge it too.
    """
    if document["kind"].endswith("Binding"):
        document = copy.deepcopy(document)
        selector = {"matchLabels": {LABEL: name}}
        document["spec"]["matchResources"] = {"namespaceSelector": selector}
        parameters = document["spec"].get("paramRef", {})
        if "selector" in parameters:
            parameters["selector"] = selector
    return document


def _namespace(name: str, labels: dict[str, str]) -> Document:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _genesis(namespace: str) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": floor.GENESIS_SECRET,
            "namespace": namespace,
            "annotations": {floor.GENESIS_ANNOTATION: CONFIG.genesis_digest},
        },
    }


def policy(
    name: str, owner: str, selector: Document, exempt: tuple[str, ...] = (EXEMPT_DIGEST,)
) -> Document:
    """A ClusterSafetyPolicy that the floor ``owner`` takes for one of its own."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": "ClusterSafetyPolicy",
        "metadata": {"name": name, "labels": {LABEL: owner}},
        "spec": {
            "selector": selector,
            "owners": OWNERS,
            "exemptImages": [{"digest": digest, "reason": "a batch job"} for digest in exempt],
        },
    }


def _last(name: str) -> tuple[Document, Document]:
    """A policy that refuses ConfigMaps: the API server takes policies in in their order, so all
    the others are in force once it is."""
    api = "admissionregistration.k8s.io/v1"
    metadata = {"name": f"{name}-last"}
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["configmaps"],
    }
    policy: Document = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "false", "message": "the last one is in force"}],
    }
    binding: Document = {
        "policyName": f"{name}-last",
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": {"matchLabels": {LABEL: name}}},
    }
    kind = "ValidatingAdmissionPolicy"
    return (
        {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": policy},
        {"apiVersion": api, "kind": f"{kind}Binding", "metadata": metadata, "spec": binding},
    )


def _all_in_force(here: Floor) -> bool:
    path = f"/api/v1/namespaces/{here.namespace}/configmaps?dryRun=All"
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe"}}
    return "the last one is in force" in here.api.request("POST", path, document).message


def _wait(here: Floor) -> None:
    """Until every policy is in force: it takes the API server a few seconds to take them in."""
    bare, foreign = here.pod(), here.injected()
    foreign["spec"]["initContainers"][0]["command"] = ["other"]
    deadline = time.monotonic() + 60
    while True:
        said = [here.create(pod).message for pod in (bare, foreign, here.injected())]
        refused = f"{here.name}-required" in said[0] and f"{here.name}-injection" in said[1]
        if refused and not said[2] and _all_in_force(here):
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"the floor is not in force: {said}")
        time.sleep(0.5)


def eventually(check: Callable[[], bool], what: str) -> None:
    """Wait until the API server has taken a change in."""
    deadline = time.monotonic() + 20
    while not check():
        assert time.monotonic() < deadline, f"timed out: {what}"
        time.sleep(0.3)
