"""What the operator may delete and change, and who may end enforcement, on the real API server."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from quorate import names
from quorate.admission.floor import GENESIS_SECRET
from tests.contract.floor.api import Answer
from tests.contract.floor.ground import EXEMPT, Floor, installed
from tools.demo.cluster import running_cluster

pytestmark = pytest.mark.cluster
Document = dict[str, Any]

OPERATOR: dict[str, Any] = {"user": names.OPERATOR_USER, "groups": ("system:masters",)}
"""The operator's name with an administrator's rights: only admission is asked here."""
PORTAL: dict[str, Any] = {"user": "portal"}
"""May change namespaces, webhook configurations and Secrets, as portals and controllers may."""
MERGE = "application/merge-patch+json"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


@pytest.fixture(scope="module")
def floor() -> Iterator[Floor]:
    """A floor with a pod that nobody injected, a node, and somebody with broad rights."""
    with installed("guards") as here:
        cluster = running_cluster()
        bare = here.pod(volumes=[], schedulingGates=[{"name": names.SCHEDULING_GATE}])
        bare["metadata"]["name"] = "bare"
        bare["spec"]["containers"] = [{"name": "batch", "image": EXEMPT}]
        assert here.create(bare, dry_run=False).message == ""
        cluster.apply(*_portal(here.name), _node(here.name))
        yield here
        cluster.kubectl("delete", "node", here.name)
        cluster.kubectl("delete", "clusterrole,clusterrolebinding", here.name)


def _node(name: str) -> Document:
    metadata = {"name": name, "labels": {"example.com/zone": "a"}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata}


def _portal(name: str) -> list[Document]:
    group = "rbac.authorization.k8s.io"
    change = ["get", "list", "update", "patch", "delete", "deletecollection"]
    rules = [
        {"apiGroups": [""], "resources": ["namespaces", "namespaces/status"], "verbs": change},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": change},
        {
            "apiGroups": ["admissionregistration.k8s.io"],
            "resources": ["validatingwebhookconfigurations"],
            "verbs": change,
        },
    ]
    common = {"apiVersion": f"{group}/v1", "metadata": {"name": name}}
    return [
        common | {"kind": "ClusterRole", "rules": rules},
        common
        | {
            "kind": "ClusterRoleBinding",
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": group, "kind": "User", "name": PORTAL["user"]}],
        },
    ]


def said(probe: Callable[[], str], wanted: str) -> None:
    """Until the API server, which takes changes in with a delay, says this; exactly, if empty."""
    deadline = time.monotonic() + 20
    while True:
        message = probe()
        if wanted in message and bool(wanted) == bool(message):
            return
        assert time.monotonic() < deadline, f"{message!r} instead of {wanted!r}"
        time.sleep(0.3)


def label(floor: Floor, mode: str | None, part: str = "", query: str = "", **who: Any) -> Answer:
    """Set the namespace's mode, or take it away."""
    change: Document = {"metadata": {"labels": {names.MODE_LABEL: mode}}}
    path = f"/api/v1/namespaces/{floor.namespace}{part}{query}"
    return floor.api.request("PATCH", path, change, content_type=MERGE, **who)


def delete(
    floor: Floor, uid: str | None, name: str = "bare", namespace: str = "", **who: Any
) -> str:
    """Delete a pod, under a dry run, with a UID as precondition or without."""
    options: Document = {"apiVersion": "v1", "kind": "DeleteOptions", "dryRun": ["All"]}
    if uid is not None:
        options["preconditions"] = {"uid": uid}
    path = f"/api/v1/namespaces/{namespace or floor.namespace}/pods/{name}"
    return floor.api.request("DELETE", path, options, **who).message


@pytest.mark.requirement("the operator deletes only in namespaces that enforce, one pod by its UID")
def test_the_operator_deletes_one_pod_of_an_enforcing_namespace(floor: Floor) -> None:
    """Nowhere else, not without the UID, and not a whole collection; others as they like."""
    uid = floor.api.request("GET", f"/api/v1/namespaces/{floor.namespace}/pods/bare").body
    uid = uid["metadata"]["uid"]
    everything = f"/api/v1/namespaces/{floor.namespace}/pods?dryRun=All"
    said(
        lambda: delete(floor, uid, **OPERATOR), "namespaces that enforce, and pods of members, only"
    )
    for mode in ("warn", "audit"):
        assert label(floor, mode).accepted
        assert "namespaces that enforce, and pods of members, only" in delete(
            floor, uid, **OPERATOR
        )
    assert label(floor, "enforce").accepted
    try:
        said(lambda: delete(floor, uid, **OPERATOR), "")
        assert "one pod at a time" in delete(floor, None, **OPERATOR)
        assert "one pod at a time" in floor.api.request("DELETE", everything, **OPERATOR).message
        assert delete(floor, "11111111-2222-3333-4444-555555555555", **OPERATOR)
        assert delete(floor, None) == ""
    finally:
        assert label(floor, None).accepted
    said(
        lambda: delete(floor, uid, **OPERATOR), "namespaces that enforce, and pods of members, only"
    )


@pytest.mark.requirement(
    "members are replaced one at a time by the operator, and nothing else of ours"
)
def test_the_operator_deletes_members_pods_of_our_namespace(floor: Floor) -> None:
    """With the member's label and by UID; no other pod there, and the label helps nowhere else."""
    system, uids = f"{floor.namespace}-system", {}
    for name, where, labels in (
        ("member", system, {names.MEMBER_LABEL: "member-0"}),
        ("other", system, {}),
        ("labelled", floor.namespace, {names.MEMBER_LABEL: "member-0"}),
    ):
        pod = floor.pod(volumes=[], schedulingGates=[{"name": names.SCHEDULING_GATE}])
        pod["metadata"] |= {"name": name, "namespace": where}
        pod["metadata"]["labels"] |= labels
        pod["spec"]["containers"] = [{"name": "batch", "image": EXEMPT}]
        made = floor.api.request("POST", f"/api/v1/namespaces/{where}/pods", pod)
        assert made.message == ""
        uids[name] = made.body["metadata"]["uid"]
    said(lambda: delete(floor, uids["member"], "member", system, **OPERATOR), "")
    assert "one pod at a time" in delete(floor, None, "member", system, **OPERATOR)
    refused = "namespaces that enforce, and pods of members, only"
    assert refused in delete(floor, uids["other"], "other", system, **OPERATOR)
    assert refused in delete(floor, uids["labelled"], "labelled", **OPERATOR)


@pytest.mark.requirement("the operator cordons nodes and changes nothing else in them")
def test_the_operator_only_cordons(floor: Floor) -> None:
    """A taint, a label, uncordoning, the status: refused. Others as they like."""

    def change(document: Document, part: str = "", **who: Any) -> str:
        path = f"/api/v1/nodes/{floor.name}{part}?dryRun=All"
        return floor.api.request("PATCH", path, document, content_type=MERGE, **who).message

    cordoned: Document = {"spec": {"unschedulable": True}}
    assert change(cordoned, **OPERATOR) == ""
    for other in (
        {"spec": {"unschedulable": False}},
        {"spec": {"unschedulable": True, "taints": [{"key": "a", "effect": "NoExecute"}]}},
        {"spec": {"unschedulable": True, "podCIDR": "10.9.0.0/24"}},
        cordoned | {"metadata": {"labels": {"example.com/zone": "b"}}},
        cordoned | {"metadata": {"labels": {"example.com/zone": None}}},
        cordoned | {"metadata": {"annotations": {"example.com/a": "b"}}},
    ):
        assert "cordons nodes and changes nothing else" in change(other, **OPERATOR), other
    allocatable = {"status": {"allocatable": {"cpu": "900"}}}
    assert "changes nothing else" in change(allocatable, "/status", **OPERATOR)
    assert change({"metadata": {"labels": {"example.com/zone": "b"}}}) == ""


@pytest.mark.requirement("namespace labels, our configurations are guarded by the floor")
def test_enforcement_is_ended_by_the_platform_team_only(floor: Floor) -> None:
    """Not by whoever may change namespaces, nor by way of a subresource; beginning is free."""
    dry = "?dryRun=All"
    assert label(floor, "enforce", query=dry, **PORTAL).accepted
    assert label(floor, "enforce").accepted
    try:
        for part in ("", "/status"):
            for mode in (None, "warn", "audit", "Enforce"):
                refused = label(floor, mode, part, dry, **PORTAL).message
                assert "GuardedFieldChanged" in refused, (part, mode)
        assert label(floor, "enforce", query=dry, **PORTAL).accepted
        assert label(floor, "warn", query=dry).accepted
    finally:
        assert label(floor, None).accepted


def suspend(floor: Floor, mode: str, query: str = "", by: str = "", **who: Any) -> str:
    """Break the glass in the namespace, in somebody's name; returns why it was refused."""
    notes = {names.ENFORCE_AGAIN: "2026-11-21T12:00:00Z", names.SUSPENDED_BY: by or None}
    change = {"metadata": {"labels": {names.MODE_LABEL: mode}, "annotations": notes}}
    path = f"/api/v1/namespaces/{floor.namespace}{query}"
    return floor.api.request("PATCH", path, change, content_type=MERGE, **who).message


@pytest.mark.requirement("break-glass: audited, self-expiring, always an incident")
def test_who_breaks_the_glass_says_so(floor: Floor) -> None:
    """In the API server's own name for them, and nobody else puts the end off or takes it away;
    to enforce again is free."""
    dry = "?dryRun=All"
    breaker: Document = {"user": "breaker", "groups": ("system:masters",)}
    assert label(floor, "enforce").accepted
    try:
        for by in ("", "portal", "Breaker"):
            assert "must name who" in suspend(floor, "audit", dry, by, **breaker)
        assert "taken " in suspend(floor, "audit", dry, "portal", **PORTAL)
        assert suspend(floor, "audit", by="breaker", **breaker) == ""
        path = f"/api/v1/namespaces/{floor.namespace}"
        for key, value in (
            (names.ENFORCE_AGAIN, None),
            (names.ENFORCE_AGAIN, "2026-11-22T12:00:00Z"),
            (names.SUSPENDED_BECAUSE, "no reason"),
            (names.SUSPENDED_BY, "portal"),
        ):
            for part in ("", "/status"):
                words = {"metadata": {"annotations": {key: value}}}
                request = ("PATCH", path + part + dry, words)
                said = floor.api.request(*request, content_type=MERGE, **PORTAL).message
                assert "GuardedFieldChanged" in said, (key, value, part)
        other = {"metadata": {"annotations": {"example.com/a": "b"}}}
        assert floor.api.request("PATCH", path + dry, other, content_type=MERGE, **PORTAL).accepted
        assert label(floor, "enforce", query=dry, **PORTAL).accepted
    finally:
        undo = {names.ENFORCE_AGAIN: None, names.SUSPENDED_BY: None}
        change: Document = {"metadata": {"labels": {names.MODE_LABEL: None}, "annotations": undo}}
        path = f"/api/v1/namespaces/{floor.namespace}"
        assert floor.api.request("PATCH", path, change, content_type=MERGE).accepted


@pytest.mark.requirement("namespace labels, our configurations are guarded by the floor")
def test_our_configurations_are_the_platform_teams(floor: Floor) -> None:
    """One by one, or as a whole collection; and the floor's parameter with them."""
    api = floor.api
    made = api.request("POST", WEBHOOKS, _configuration("quorate"))
    other = f"{floor.name}-other"
    assert api.request("POST", WEBHOOKS, _configuration(other)).accepted
    try:
        change = {"metadata": {"labels": {"a": "b"}}}
        one, all_ = f"{WEBHOOKS}/quorate?dryRun=All", f"{WEBHOOKS}?dryRun=All"
        asked = [
            api.request("PATCH", one, change, content_type=MERGE, **PORTAL),
            api.request("DELETE", one, **PORTAL),
            api.request("DELETE", f"{all_}&fieldSelector=metadata.name%3Dquorate", **PORTAL),
        ]
        secret = f"/api/v1/namespaces/{floor.namespace}-system/secrets"
        asked += [
            api.request("DELETE", f"{secret}/{GENESIS_SECRET}?dryRun=All", **PORTAL),
            api.request("DELETE", f"{secret}?dryRun=All", **PORTAL),
        ]
        for answer in asked:
            assert "GuardedFieldChanged" in answer.message, json.dumps(answer.body)
        assert api.request("DELETE", f"{WEBHOOKS}/{other}?dryRun=All", **PORTAL).accepted
        assert api.request("PATCH", one, change, content_type=MERGE).accepted
    finally:
        api.request("DELETE", f"{WEBHOOKS}/{other}")
        if made.accepted:
            api.request("DELETE", f"{WEBHOOKS}/quorate")


def _configuration(name: str) -> Document:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [],
    }
