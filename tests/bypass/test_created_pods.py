"""Pods that a tenant writes to serve something else, or from somewhere else."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from quorate import names
from tests.bypass.ground import PORT, Document, Ground, denied

Change = Callable[[Document], None]
SERVER = "ServerImageNotAllowed"


def init(**fields: Any) -> Change:
    """The server's own image as an init container, on every address, without end."""

    def change(spec: Document) -> None:
        container = copy.deepcopy(spec["containers"][0]) | {"name": "early"} | fields
        container["args"] = ["--port", str(PORT)]
        for key in ("readinessProbe", "ports"):
            container.pop(key)
        spec["initContainers"] = [container]

    return change


def server(**fields: Any) -> Change:
    """Fields of the server's container."""
    return lambda spec: spec["containers"][0].update(copy.deepcopy(fields))


def whole(**fields: Any) -> Change:
    """Fields of the spec."""
    return lambda spec: spec.update(copy.deepcopy(fields))


def volume(**fields: Any) -> Change:
    """Another volume, mounted by the server."""

    def change(spec: Document) -> None:
        spec["volumes"].append({"name": "more"} | copy.deepcopy(fields))
        mount = {"name": "more", "mountPath": "/more", "readOnly": True}
        spec["containers"][0]["volumeMounts"].append(mount)

    return change


def tried(ground: Ground, cases: dict[str, tuple[Change, tuple[str, ...]]]) -> None:
    """Each pod is refused for one of its reasons."""
    wrong = []
    for title, (change, reasons) in cases.items():
        answer = ground.try_pod(change)
        if answer.accepted or not any(reason in answer.message for reason in reasons):
            wrong.append(f"{title}: {answer.message or 'accepted'}")
        if answer.accepted:
            ground.withdraw()
    assert not wrong, "\n".join(wrong)


@pytest.mark.bypass("E02")
def test_class_e02_init_containers_and_native_sidecars(ground: Ground) -> None:
    """Nothing of the tenant's runs before the measurement, or beside the server."""
    other = f"registry.example.test/other@sha256:{'0' * 64}"
    tried(
        ground,
        {
            "the server before it is measured": (init(), (SERVER,)),
            "another program before it": (init(image=other), (SERVER,)),
            "a native sidecar": (init(restartPolicy="Always"), (SERVER, "ExtraContainer")),
        },
    )


@pytest.mark.bypass("E03")
def test_class_e03_image_volumes(ground: Ground) -> None:
    """No image volume but the model's own, by its digest."""
    models = ground.tenant.models
    spoilt, good = models["changed-byte"].reference, models["good"].reference
    reasons = ("VolumeNotAllowed", "ModelNotMounted")

    def instead(reference: str) -> Change:
        return lambda spec: spec["volumes"][0]["image"].update(reference=reference)

    tried(
        ground,
        {
            "a second image": (volume(image={"reference": spoilt}), reasons),
            "the model twice": (volume(image={"reference": good}), reasons),
            "another image": (instead(spoilt), reasons),
            "the model's image by tag": (instead(good.partition("@")[0] + ":latest"), reasons),
        },
    )


@pytest.mark.bypass("E06")
def test_class_e06_a_container_named_like_the_injected_one(ground: Ground) -> None:
    """What bears our names is what we inject, to the byte."""
    reasons = ("InjectionDiffers", "ReservedName")
    stored = ground.pod()["spec"]
    forged = copy.deepcopy(stored["initContainers"])
    for container in forged:
        container["image"] = ground.tenant.server["reference"]
    quiet = copy.deepcopy(stored["initContainers"])
    quiet[1]["args"][-1] += "x"

    def under(name: str) -> Change:
        return lambda spec: (init()(spec), spec["initContainers"][0].update(name=name))[0]

    def ready_made(containers: list[Document]) -> Change:
        ours = [v for v in stored["volumes"] if v["name"].startswith(names.VOLUME_PREFIX)]
        return lambda spec: spec.update(
            initContainers=copy.deepcopy(containers), volumes=spec["volumes"] + ours
        )

    tried(
        ground,
        {
            "measure": (under(names.MEASURE_CONTAINER), reasons),
            "sidecar": (under(names.SIDECAR_CONTAINER), reasons),
            "both, with another image": (ready_made(forged), reasons),
            "both, with another argument": (ready_made(quiet), reasons),
        },
    )


@pytest.mark.bypass("E13")
def test_class_e13_tags(ground: Ground) -> None:
    """A server by tag is refused, or stored with a digest that the policy names; a model's image is
    named by digest in the first place."""
    repository = ground.tenant.server["reference"].partition("@")[0]
    for reference in (f"{repository}:latest", repository):
        answer = ground.try_pod(server(image=reference))
        if answer.accepted:
            stored = answer.body["spec"]["containers"][0]["image"]
            assert stored.endswith("@" + ground.tenant.server["digest"])
        else:
            denied(answer, SERVER)
    model = ground.attested("tagged", source={"image": {"reference": f"{repository}:latest"}})
    path = ground.path("attestedmodels", "", "quorate.dev/v1alpha1")
    said = denied(ground.attacker.request("POST", path, model))
    assert "spec.source.image.reference" in said


@pytest.mark.bypass("E26")
def test_class_e26_host_access_and_other_ports(ground: Ground) -> None:
    """No namespace, device, path or port of the host, and no port but the sidecar's."""
    host = ("HostAccess", "violates PodSecurity")
    ports = [{"name": "http", "containerPort": PORT}, {"containerPort": 9000}]
    capability = {"capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}}
    sysctl = {"name": "net.ipv4.conf.all.route_localnet", "value": "1"}
    tried(
        ground,
        {
            "host network": (whole(hostNetwork=True), host),
            "host processes": (whole(hostPID=True), host),
            "host memory": (whole(hostIPC=True), host),
            "shared processes": (whole(shareProcessNamespace=True), host),
            "host path": (volume(hostPath={"path": "/"}), (*host, "VolumeNotAllowed")),
            "privilege": (server(securityContext={"privileged": True}), host),
            "capability": (server(securityContext=capability), host),
            "sysctl": (whole(securityContext={"sysctls": [sysctl]}), host),
            "host port": (
                server(ports=[{"name": "http", "containerPort": PORT, "hostPort": PORT}]),
                (*host, "PortNotDeclared"),
            ),
            "another address for localhost": (
                whole(hostAliases=[{"ip": "10.0.0.9", "hostnames": ["localhost"]}]),
                host,
            ),
            "a name as address": (
                server(args=["--host", "localhost", "--port", str(PORT)]),
                ("PortNotDeclared",),
            ),
            "an address with a tail": (
                server(env=[{"name": "OLLAMA_HOST", "value": "http://0.0.0.0:9/://127.0.0.1"}]),
                ("PortNotDeclared",),
            ),
            "another port": (server(ports=ports), ("PortNotDeclared",)),
            "every address": (
                server(args=["--host", "::", "--port", str(PORT)]),
                ("PortNotDeclared",),
            ),
        },
    )


@pytest.mark.bypass("P01")
def test_class_p01_a_is_checked_b_runs(ground: Ground) -> None:
    """The volume is the certified model's, mounted whole and read-only, with nothing over it."""
    model = {"name": "model", "mountPath": "/models", "readOnly": True}
    over = {"name": "tmp", "mountPath": "/models/tokenizer"}
    writable = ("ModelMountWritable",)

    def mounts(*found: Document) -> Change:
        return server(volumeMounts=list(found))

    tried(
        ground,
        {
            "not mounted": (mounts(), ("ModelNotMounted",)),
            "a part of it": (mounts(model | {"subPath": "tokenizer"}), writable),
            "something over it": (mounts(model, over), writable),
            "writable": (mounts(model | {"readOnly": False}), writable),
            "the kubelet's file over one of it": (
                server(terminationMessagePath="/models/config.json"),
                writable,
            ),
            "weights in the server's image": (
                lambda spec: (mounts()(spec), spec["volumes"].pop(0))[0],
                ("ModelNotMounted",),
            ),
        },
    )


@pytest.mark.bypass("P07")
def test_class_p07_container_kinds_and_subresources(ground: Ground) -> None:
    """Variables from elsewhere, foreign volumes, second containers, and a resize of ours."""
    again = {"name": "second", "ports": []}

    def second(spec: Document) -> None:
        spec["containers"].append(copy.deepcopy(spec["containers"][0]) | again)

    def posing(spec: Document) -> None:
        """A label as a module of Python's, in a volume named like Kubernetes' own."""
        field = {"fieldPath": f"metadata.labels['{names.MODEL_LABEL}']"}
        item = {"path": "usercustomize.py", "fieldRef": field}
        name = "kube-api-access-abcde"
        spec["volumes"].append(
            {"name": name, "projected": {"sources": [{"downwardAPI": {"items": [item]}}]}}
        )
        mount = {"name": name, "mountPath": "/home/x/.local/lib/python3.11/site-packages"}
        spec["containers"][0]["volumeMounts"].append(mount)

    claim = {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"],
             "resources": {"requests": {"storage": "1Gi"}}}}}  # fmt: skip
    tried(
        ground,
        {
            "variables from a ConfigMap": (
                server(envFrom=[{"configMapRef": {"name": "kube-root-ca.crt"}}]),
                (SERVER,),
            ),
            "a loader's variable": (server(env=[{"name": "LD_PRELOAD", "value": "/x"}]), (SERVER,)),
            "a second container": (second, ("ExtraContainer",)),
            "an ephemeral claim": (volume(ephemeral=claim), ("VolumeNotAllowed",)),
            "a ConfigMap": (volume(configMap={"name": "kube-root-ca.crt"}), ("VolumeNotAllowed",)),
            "a module in a volume like Kubernetes' own": (posing, ("VolumeNotAllowed",)),
            "a compiler": (server(env=[{"name": "CXX", "value": "python3 -c x"}]), (SERVER,)),
            "a command": (server(command=["python3"]), (SERVER,)),
        },
    )
    resized = {"name": names.SIDECAR_CONTAINER, "resources": {"requests": {"cpu": "1m"}}}
    answer = ground.patch(
        ground.path("pods", "demo") + "/resize",
        {"spec": {"initContainers": [resized]}},
        "application/strategic-merge-patch+json",
    )
    denied(answer)


@pytest.mark.bypass("E27")
def test_class_e27_fetching_at_run_time(ground: Ground) -> None:
    """No argument and no variable by which a server fetches weights, adapters or code."""
    local = ["--host", "127.0.0.1", "--port", str(PORT)]
    told = [
        *(["--model", place] for place in ("org/name", "/tmp/weights", "https://example.test/m")),
        *(["--trust-remote-code"], ["--lora-modules", "a=org/adapter"], ["-hf", "org/name"]),
        *(["--hf-repo", "org/name"], ["--model-url", "https://example.test/m.gguf"]),
    ]
    cases: dict[str, tuple[Change, tuple[str, ...]]] = {
        " ".join(args): (server(args=local + args), (SERVER,)) for args in told
    }
    for name in ("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "STORAGE_URI",
                 "HF_ENDPOINT", "PIP_INDEX_URL"):  # fmt: skip
        cases[name] = (server(args=local, env=[{"name": name, "value": "1"}]), (SERVER,))
    tried(ground, cases)


@pytest.mark.bypass("E26")
def test_class_e26_connections(ground: Ground) -> None:
    """No exec, attach or port-forward into a model pod, its sidecar included."""
    pod = ground.path("pods", "demo")
    for container in ("server", names.SIDECAR_CONTAINER):
        options = f"container={container}&stdin=true&stdout=true"
        for method in ("GET", "POST"):
            for path in (f"{pod}/exec?command=id&{options}", f"{pod}/attach?{options}"):
                denied(ground.attacker.request(method, path), "ConnectRefused")
    for method in ("GET", "POST"):
        forward = f"{pod}/portforward?ports={PORT}"
        denied(ground.attacker.request(method, forward), "ConnectRefused")
