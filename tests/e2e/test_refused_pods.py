"""Ways around the door that a tenant with full rights in its namespace might try."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.installation import scaled_to_zero
from tests.e2e.tenant import Tenant, edited, eventually
from tools.demo.cluster import CommandFailed

Spec = dict[str, Any]


def second_container(spec: Spec) -> None:
    spec["containers"].append(spec["containers"][0] | {"name": "second", "ports": []})


def forwarder(spec: Spec) -> None:
    spec["containers"].append(
        {
            "name": "forwarder",
            "image": spec["containers"][0]["image"],
            "command": ["python3", "-c", "print('forwards 0.0.0.0:9000 to 127.0.0.1:8000')"],
            "securityContext": spec["containers"][0]["securityContext"],
        }
    )


def command(spec: Spec) -> None:
    spec["containers"][0]["command"] = ["python3", "-c", "print('anything')"]


def exec_hook(spec: Spec) -> None:
    spec["containers"][0]["lifecycle"] = {"postStart": {"exec": {"command": ["python3"]}}}


def exec_probe(spec: Spec) -> None:
    spec["containers"][0]["readinessProbe"] = {"exec": {"command": ["python3"]}}


def loader(spec: Spec) -> None:
    spec["containers"][0]["env"] = [{"name": "PYTHONPATH", "value": "/tmp"}]


def other_image(spec: Spec) -> None:
    image = spec["containers"][0]["image"].partition("@")[0]
    spec["containers"][0]["image"] = f"{image}@sha256:{'0' * 64}"


def tag(spec: Spec) -> None:
    spec["containers"][0]["image"] = spec["containers"][0]["image"].partition("@")[0] + ":dev"


def second_volume(spec: Spec) -> None:
    other = spec["volumes"][0]["image"]["reference"].partition("@")[0]
    volume = {"name": "more", "image": {"reference": f"{other}@sha256:{'1' * 64}"}}
    spec["volumes"].append(volume)
    spec["containers"][0]["volumeMounts"].append(
        {"name": "more", "mountPath": "/more", "readOnly": True}
    )


def baked_in(spec: Spec) -> None:
    spec["volumes"] = [volume for volume in spec["volumes"] if volume["name"] != "model"]
    mounts = spec["containers"][0]["volumeMounts"]
    spec["containers"][0]["volumeMounts"] = [m for m in mounts if m["name"] != "model"]


def not_mounted(spec: Spec) -> None:
    mounts = spec["containers"][0]["volumeMounts"]
    spec["containers"][0]["volumeMounts"] = [m for m in mounts if m["name"] != "model"]


def our_names(spec: Spec) -> None:
    spec["initContainers"] = [spec["containers"][0] | {"name": "quorate-measure", "ports": []}]
    del spec["initContainers"][0]["readinessProbe"]


def our_token(spec: Spec) -> None:
    source = {"serviceAccountToken": {"audience": "quorate", "path": "token"}}
    spec["volumes"].append({"name": "mine", "projected": {"sources": [source]}})


def preset_node(spec: Spec) -> None:
    spec["nodeName"] = "node-1"


def shared_processes(spec: Spec) -> None:
    spec["shareProcessNamespace"] = True


CASES: dict[str, tuple[Callable[[Spec], None], str]] = {
    "a second container": (second_container, "ExtraContainer"),
    "a loopback port-forwarder": (forwarder, "ExtraContainer"),
    "another command in the server's image": (command, "ServerImageNotAllowed"),
    "code by a hook": (exec_hook, "ServerImageNotAllowed"),
    "code by a probe": (exec_probe, "ServerImageNotAllowed"),
    "code by a loader variable": (loader, "ServerImageNotAllowed"),
    "a server image the policy does not name": (other_image, "ServerImageNotAllowed"),
    "a server image by tag": (tag, "ServerImageNotAllowed"),
    "a second unmeasured volume": (second_volume, "VolumeNotAllowed"),
    "no measured model volume at all": (baked_in, "ModelNotMounted"),
    "the model's volume not mounted": (not_mounted, "ModelNotMounted"),
    "a container under an injected name": (our_names, "InjectionDiffers"),
    "a token of our audience": (our_token, "TokenAudienceReserved"),
    "a preset node": (preset_node, "NodeNamePreset"),
    "a shared process namespace": (shared_processes, "HostAccess"),
}


@pytest.mark.requirement(
    "a second container, an unnamed server image, a second unmeasured volume, no measured model "
    "volume at all, a loopback port-forwarder → denied"
)
def test_pods_that_go_around(tenant: Tenant) -> None:
    """Every shape of pod that would serve something else is refused with its own reason."""
    tenant.cluster.apply(tenant.attested())
    wrong = []
    for title, (change, reason) in CASES.items():
        said = tenant.refused(tenant.pod("bypass", change=change))
        if reason not in said:
            wrong.append(f"{title}: expected {reason} in: {said}")
    assert wrong == []


@pytest.mark.requirement("no API token inside injected containers; TokenRequest → denied")
def test_tenant_cannot_mint_our_tokens(tenant: Tenant) -> None:
    """The edit role may ask for tokens, but not for our audience."""
    tenant.kubectl("create", "serviceaccount", "editor")
    tenant.kubectl(
        *("create", "rolebinding", "editor", "--clusterrole=edit"),
        f"--serviceaccount={tenant.namespace}:editor",
    )
    user = f"--as=system:serviceaccount:{tenant.namespace}:editor"
    assert tenant.kubectl("create", "token", "editor", user).count(".") == 2
    with pytest.raises(CommandFailed) as caught:
        tenant.kubectl("create", "token", "editor", "--audience=quorate", user)
    assert "quorate" in caught.value.output


@pytest.fixture
def gated(tenant: Tenant) -> Iterator[Tenant]:
    """A tenant with a gated pod whose model nobody has judged: the operator is away."""
    with scaled_to_zero(tenant.cluster, "quorate-operator"):
        tenant.cluster.apply(tenant.attested(gates=()))

        def created() -> str:
            return tenant.cluster.apply(tenant.pod("gated"))

        eventually(created, "the webhook knows the model", seconds=20)
        yield tenant


def removal(tenant: Tenant, *user: str) -> str:
    """Remove the gate as ``user``, which must be refused; returns what was said."""
    patch = json.dumps([{"op": "remove", "path": "/spec/schedulingGates"}])
    with pytest.raises(CommandFailed) as caught:
        tenant.kubectl("patch", "pod", "gated", "--type=json", "-p", patch, *user)
    return caught.value.output


@pytest.mark.requirement("gate removal by another identity → denied")
def test_nobody_else_releases_the_gate(gated: Tenant) -> None:
    """Even a cluster administrator's removal of the gate is refused."""
    for user in ((), ("--as=system:admin", "--as-group=system:masters")):
        assert "quorate.dev/verified" in removal(gated, *user)


@pytest.mark.requirement("gate removal by the operator for a pod that would not pass → denied")
def test_operator_cannot_release_what_would_not_pass(gated: Tenant) -> None:
    """The operator's own identity does not make a pod pass."""
    operator = "--as=system:serviceaccount:quorate-system:quorate-operator"
    assert "Certificate" in removal(gated, operator)


@pytest.mark.requirement("UPDATE judges changes: an image swap or a debugging container → denied")
def test_running_pod_cannot_be_changed(tenant: Tenant) -> None:
    """Neither the server's image, nor the model's label, nor a debugging container."""
    tenant.serve()
    pod = tenant.get("pod", "demo")
    swap = edited(pod, ("spec", "containers", 0, "image"), "example.test/other@sha256:" + "0" * 64)
    relabelled = edited(pod, ("metadata", "labels", "quorate.dev/model"), "another")
    for document in (swap, relabelled):
        with pytest.raises(CommandFailed):
            tenant.kubectl("replace", "-f", "-", stdin=json.dumps(document))
    with pytest.raises(CommandFailed) as caught:
        tenant.kubectl(
            *("debug", "demo", "--image", pod["spec"]["containers"][0]["image"]),
            *("--profile=restricted", "--", "python3"),
        )
    assert "EphemeralContainer" in caught.value.output
    tenant.kubectl("annotate", "pod", "demo", "note=harmless")
