"""Fields and volumes of which a part was looked at: each is the tenant's to the last letter."""

from typing import Any

import pytest

from quorate.verdict import Reason
from tests.unit.admission.pod_builder import Document
from tests.unit.admission.test_bypasses import (
    GOOD,
    Change,
    init_container,
    mounts,
    on_server,
    on_spec,
    probe,
    reasons,
)

ANNOTATION = {"apiVersion": "v1", "fieldPath": "metadata.annotations['x']"}


def api_token(source: int, **items: Any) -> Change:
    """Have Kubernetes' own token volume bring one file more."""

    def change(pod: Document) -> None:
        (kind,) = (found := pod["spec"]["volumes"][2]["projected"]["sources"][source])
        found[kind].setdefault("items", []).append(items)

    return change


def posing(pod: Document) -> None:
    """A volume named like Kubernetes' own, with a file of the tenant's where Python looks."""
    items = [{"path": "usercustomize.py", "fieldRef": ANNOTATION}]
    name = "kube-api-access-abcde"
    pod["metadata"]["annotations"] = {"x": "import os"}
    pod["spec"]["volumes"].append(
        {"name": name, "projected": {"sources": [{"downwardAPI": {"items": items}}]}}
    )
    mount = {"name": name, "mountPath": "/home/x/.local/lib/python3.12/site-packages"}
    pod["spec"]["containers"][0]["volumeMounts"].append(mount)


def token_mount(**fields: Any) -> Change:
    """Change how the server mounts Kubernetes' own token volume."""
    return lambda pod: pod["spec"]["containers"][0]["volumeMounts"][2].update(fields)


TOKEN_VOLUME: list[tuple[str, Change, set[Reason]]] = [
    (
        "an annotation as a file in Kubernetes' own volume",
        api_token(2, path="usercustomize.py", fieldRef=ANNOTATION),
        {Reason.VOLUME_NOT_ALLOWED},
    ),
    (
        "another key of Kubernetes' own ConfigMap, which a tenant may write",
        api_token(1, key="x", path="usercustomize.py"),
        {Reason.VOLUME_NOT_ALLOWED},
    ),
    (
        "all keys of Kubernetes' own ConfigMap",
        lambda pod: pod["spec"]["volumes"][2]["projected"]["sources"][1]["configMap"].pop("items"),
        {Reason.VOLUME_NOT_ALLOWED},
    ),
    (
        "Kubernetes' own volume where Python looks for modules",
        token_mount(mountPath="/home/x/.local/lib/python3.12/site-packages"),
        {Reason.VOLUME_NOT_ALLOWED},
    ),
    (
        "one of its files where Python looks for a module",
        token_mount(mountPath="/usr/lib/python3/dist-packages/x.py", subPath="ca.crt"),
        {Reason.VOLUME_NOT_ALLOWED},
    ),
    (
        "a part of it where it belongs",
        token_mount(subPath="ca.crt"),
        {Reason.VOLUME_NOT_ALLOWED},
    ),
]

FIELDS: list[tuple[str, Change, set[Reason]]] = [
    (
        "the kubelet's file over one of the model's",
        on_server(terminationMessagePath="/models/config.json"),
        {Reason.MODEL_MOUNT_WRITABLE},
    ),
    (
        "the kubelet's file over one of a downloader's",
        init_container(terminationMessagePath="/model/config.json"),
        {Reason.MODEL_MOUNT_WRITABLE},
    ),
    (
        "another address for localhost",
        on_spec(hostAliases=[{"ip": "10.0.0.9", "hostnames": ["x.example.com", "localhost"]}]),
        {Reason.HOST_ACCESS},
    ),
    ("a pod named localhost", on_spec(hostname="localhost"), {Reason.HOST_ACCESS}),
    (
        "a bind to a name that the pod may give an address",
        on_server(args=["--model", "/models", "--host", "localhost"]),
        {Reason.PORT_NOT_DECLARED},
    ),
    (
        "an annotation as a module, in a volume named like Kubernetes' own",
        posing,
        {Reason.VOLUME_NOT_ALLOWED},
    ),
]

# The API server drops what it does not know itself.
UNKNOWN: list[tuple[str, Change, set[Reason]]] = [
    (
        "a pod named localhost by the newer field",
        on_spec(hostnameOverride="LocalHost"),
        {Reason.HOST_ACCESS},
    ),
    ("a field of a pod that nobody knows", on_spec(hostDisk="/"), {Reason.MALFORMED}),
    ("a field of a container that nobody knows", on_server(root="/x"), {Reason.MALFORMED}),
    ("a field of a mount that nobody knows", mounts(overlay="/x"), {Reason.MALFORMED}),
    ("a probe of a kind that nobody knows", probe(script={"text": "x"}), {Reason.MALFORMED}),
    (
        "a hook of a kind that nobody knows",
        on_server(lifecycle={"preStop": {"script": {"text": "x"}}}),
        {Reason.MALFORMED},
    ),
]


@pytest.mark.requirement("what is allowed is compared whole")
@pytest.mark.parametrize(
    ("change", "expected"),
    [case[1:] for case in TOKEN_VOLUME + FIELDS + UNKNOWN],
    ids=[case[0] for case in TOKEN_VOLUME + FIELDS + UNKNOWN],
)
def test_a_part_that_nobody_looked_at(change: Change, expected: set[Reason]) -> None:
    """A pod that is good but for this is refused, and for this alone."""
    assert set(reasons(GOOD.written(change).build())) == expected
