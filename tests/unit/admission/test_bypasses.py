"""Ways around the door, each tried on a pod that is good but for one thing, each refused."""

from collections.abc import Callable
from typing import Any

import pytest

from quorate import names
from quorate.admission import validate
from quorate.verdict import Reason
from tests.unit.admission.pod_builder import FETCHER_IMAGE, PodBuilder, server_container
from tests.unit.admission.world import good_world

Document = dict[str, Any]
Change = Callable[[Document], None]
WORLD = good_world()
GOOD = PodBuilder(WORLD.snapshot)
OTHER_IMAGE = f"registry.quorate.test:5000/other@sha256:{'9' * 64}"


def reasons(pod: Document) -> list[Reason]:
    """Why the pod is refused at CREATE; every denial must name policy, owner and a message."""
    verdict = validate.create(pod, WORLD.snapshot).verdict
    for denial in verdict.denials:
        assert denial.message
        assert denial.policy == "ClusterSafetyPolicy/floor"
        assert denial.owner == "safety team <safety@example.com>"
    return [denial.reason for denial in verdict.denials]


def on_server(**fields: Any) -> Change:
    """Set fields of the model server's container."""
    return lambda pod: pod["spec"]["containers"][0].update(fields)


def on_spec(**fields: Any) -> Change:
    """Set fields of the pod's spec."""
    return lambda pod: pod["spec"].update(fields)


def container(**fields: Any) -> Change:
    """Add a second container that would be allowed on its own."""
    added = server_container() | {"name": "second"} | fields
    return lambda pod: pod["spec"]["containers"].append(added)


def init_container(first: bool = True, **fields: Any) -> Change:
    """Add an init container that would be allowed, with these fields."""
    added = {"name": "fetch", "image": FETCHER_IMAGE, "volumeMounts": []} | fields

    def change(pod: Document) -> None:
        containers = pod["spec"].setdefault("initContainers", [])
        containers.insert(0 if first else len(containers), added)

    return change


def volume(**fields: Any) -> Change:
    """Add a volume."""
    return lambda pod: pod["spec"]["volumes"].append(fields)


def mounts(**fields: Any) -> Change:
    """Change how the server mounts the model."""
    return lambda pod: pod["spec"]["containers"][0]["volumeMounts"][0].update(fields)


def without_model(pod: Document) -> None:
    """Weights in the image: no model volume at all."""
    spec = pod["spec"]
    spec["volumes"] = [v for v in spec["volumes"] if v["name"] != "model"]
    mounted = spec["containers"][0]["volumeMounts"]
    spec["containers"][0]["volumeMounts"] = [m for m in mounted if m["name"] != "model"]
    spec["containers"][0]["args"] = []


def env(name: str, value: str = "/tmp/x", **fields: Any) -> Change:
    """Set one more variable of the server."""
    variable = {"name": name, **(fields or {"value": value})}
    return lambda pod: pod["spec"]["containers"][0]["env"].append(variable)


def probe(kind: str = "livenessProbe", **action: Any) -> Change:
    """Give the server a probe."""
    return on_server(**{kind: action})


def swap(pod: Document, at: int, **fields: Any) -> None:
    """Change an injected container."""
    pod["spec"]["initContainers"][at].update(fields)


def token(audience: str, **fields: Any) -> Document:
    """A volume with a projected token."""
    source = {"serviceAccountToken": {"audience": audience, "path": "token"} | fields}
    return {"projected": {"sources": [source]}}


MINE = {"name": "mine", "mountPath": "/mine"}

# What its owner writes: (title, change, expected reasons).
WRITTEN: list[tuple[str, Change, set[Reason]]] = [
    ("a second container", container(), {Reason.EXTRA_CONTAINER}),
    (
        "a second container nobody named",
        container(image=OTHER_IMAGE),
        {Reason.EXTRA_CONTAINER, Reason.SERVER_NOT_ALLOWED},
    ),
    ("an image nobody named", on_server(image=OTHER_IMAGE), {Reason.SERVER_NOT_ALLOWED}),
    ("a tag", on_server(image="registry.quorate.test:5000/server:v1"), {Reason.SERVER_NOT_ALLOWED}),
    ("no image", on_server(image=""), {Reason.SERVER_NOT_ALLOWED}),
    (
        "a digest in the tag's place",
        on_server(image=server_container()["image"].replace("@sha256:", ":")),
        {Reason.SERVER_NOT_ALLOWED},
    ),
    ("a command", on_server(command=["socat"]), {Reason.SERVER_NOT_ALLOWED}),
    (
        "a hook that execs",
        on_server(lifecycle={"postStart": {"exec": {"command": ["sh"]}}}),
        {Reason.SERVER_NOT_ALLOWED},
    ),
    (
        "a stop hook that execs",
        on_server(lifecycle={"preStop": {"exec": {"command": ["sh"]}}}),
        {Reason.SERVER_NOT_ALLOWED},
    ),
    ("a probe that execs", probe(exec={"command": ["sh"]}), {Reason.SERVER_NOT_ALLOWED}),
    (
        "a startup probe that execs",
        probe("startupProbe", exec={"command": ["sh"]}),
        {Reason.SERVER_NOT_ALLOWED},
    ),
    ("a preloaded library", env("LD_PRELOAD"), {Reason.SERVER_NOT_ALLOWED}),
    ("a Python path", env("PYTHONPATH"), {Reason.SERVER_NOT_ALLOWED}),
    ("a Python start-up file", env("PYTHONSTARTUP"), {Reason.SERVER_NOT_ALLOWED}),
    ("another search path", env("PATH"), {Reason.SERVER_NOT_ALLOWED}),
    ("a shell start-up file", env("BASH_ENV"), {Reason.SERVER_NOT_ALLOWED}),
    ("an exported shell function", env("BASH_FUNC_ls%%"), {Reason.SERVER_NOT_ALLOWED}),
    ("an agent for Java", env("JAVA_TOOL_OPTIONS"), {Reason.SERVER_NOT_ALLOWED}),
    ("a compiler", env("CXX", "python3 -c x"), {Reason.SERVER_NOT_ALLOWED}),
    ("flags of a compiler", env("NVCC_PREPEND_FLAGS"), {Reason.SERVER_NOT_ALLOWED}),
    ("a tool for OpenMP", env("OMP_TOOL_LIBRARIES"), {Reason.SERVER_NOT_ALLOWED}),
    ("a module for node", env("NODE_OPTIONS"), {Reason.SERVER_NOT_ALLOWED}),
    (
        "variables from elsewhere",
        on_server(envFrom=[{"configMapRef": {"name": "x"}}]),
        {Reason.SERVER_NOT_ALLOWED},
    ),
    (
        "a second unmeasured volume",
        volume(name="more", image={"reference": OTHER_IMAGE}),
        {Reason.VOLUME_NOT_ALLOWED},
    ),
    ("a host path", volume(name="tmp2", hostPath={"path": "/"}), {Reason.VOLUME_NOT_ALLOWED}),
    (
        "a declared name of another kind",
        lambda pod: pod["spec"]["volumes"].__setitem__(1, {"name": "tmp", "hostPath": {}}),
        {Reason.VOLUME_NOT_ALLOWED},
    ),
    ("no model volume", without_model, {Reason.MODEL_NOT_MOUNTED}),
    (
        "the model's volume not mounted",
        lambda pod: pod["spec"]["containers"][0]["volumeMounts"].pop(0),
        {Reason.MODEL_NOT_MOUNTED, Reason.SERVER_NOT_ALLOWED},
    ),
    (
        "the model mounted by an init container alone",
        lambda pod: (
            pod["spec"]["containers"][0]["volumeMounts"].pop(0),
            init_container(
                volumeMounts=[{"name": "model", "mountPath": "/models", "readOnly": True}]
            )(pod),
        )[0],
        {Reason.MODEL_NOT_MOUNTED, Reason.SERVER_NOT_ALLOWED},
    ),
    (
        "the model twice",
        lambda pod: pod["spec"]["volumes"].append(pod["spec"]["volumes"][0] | {"name": "model-2"}),
        {Reason.MODEL_NOT_MOUNTED},
    ),
    (
        "another model's image",
        lambda pod: pod["spec"]["volumes"][0]["image"].update(reference=OTHER_IMAGE),
        {Reason.VOLUME_NOT_ALLOWED, Reason.MODEL_NOT_MOUNTED, Reason.SERVER_NOT_ALLOWED},
    ),
    ("a writable mount", mounts(readOnly=False), {Reason.MODEL_MOUNT_WRITABLE}),
    ("a part of the model", mounts(subPath="other"), {Reason.MODEL_MOUNT_WRITABLE}),
    ("a part by a variable", mounts(subPathExpr="$(X)"), {Reason.MODEL_MOUNT_WRITABLE}),
    (
        "an init container that can write the model",
        init_container(volumeMounts=[{"name": "model", "mountPath": "/m"}]),
        {Reason.MODEL_MOUNT_WRITABLE},
    ),
    (
        "an init container nobody named",
        init_container(image=OTHER_IMAGE),
        {Reason.SERVER_NOT_ALLOWED},
    ),
    (
        "a server that runs before the measurement",
        init_container(image=server_container()["image"]),
        {Reason.SERVER_NOT_ALLOWED},
    ),
    (
        "an init container with a command",
        init_container(command=["sh"]),
        {Reason.SERVER_NOT_ALLOWED},
    ),
    (
        "a native sidecar of the tenant's",
        init_container(restartPolicy="Always"),
        {Reason.EXTRA_CONTAINER},
    ),
    ("the host's network", on_spec(hostNetwork=True), {Reason.HOST_ACCESS}),
    ("the host's processes", on_spec(hostPID=True), {Reason.HOST_ACCESS}),
    ("the host's memory", on_spec(hostIPC=True), {Reason.HOST_ACCESS}),
    ("shared processes", on_spec(shareProcessNamespace=True), {Reason.HOST_ACCESS}),
    (
        "a sysctl that opens loopback",
        on_spec(
            securityContext={
                "sysctls": [{"name": "net.ipv4.conf.all.route_localnet", "value": "1"}]
            }
        ),
        {Reason.HOST_ACCESS},
    ),
    (
        "a host process",
        on_spec(securityContext={"windowsOptions": {"hostProcess": True}}),
        {Reason.HOST_ACCESS},
    ),
    ("privilege", on_server(securityContext={"privileged": True}), {Reason.HOST_ACCESS}),
    (
        "an added capability",
        on_server(securityContext={"capabilities": {"add": ["NET_ADMIN"]}}),
        {Reason.HOST_ACCESS},
    ),
    (
        "an unmasked /proc",
        on_server(securityContext={"procMount": "Unmasked"}),
        {Reason.HOST_ACCESS},
    ),
    (
        "a host port",
        on_server(ports=[{"name": "http", "containerPort": 8000, "hostPort": 80}]),
        {Reason.HOST_ACCESS},
    ),
    (
        "a raw device",
        on_server(volumeDevices=[{"name": "model", "devicePath": "/dev/xvda"}]),
        {Reason.HOST_ACCESS},
    ),
    ("a preset node", on_spec(nodeName="node-1"), {Reason.PRESET_NODE}),
    (
        "a token of our audience",
        volume(name="mine", **token("quorate")),
        {Reason.TOKEN_AUDIENCE, Reason.VOLUME_NOT_ALLOWED},
    ),
    (
        "a token of an audience like ours",
        volume(name="mine", **token("quorate-member")),
        {Reason.TOKEN_AUDIENCE, Reason.VOLUME_NOT_ALLOWED},
    ),
    (
        "our audience in a volume named like Kubernetes' own",
        volume(name="kube-api-access-abcde", **token("quorate")),
        {Reason.TOKEN_AUDIENCE, Reason.VOLUME_NOT_ALLOWED},
    ),
    (
        "a tenant's file in a volume named like Kubernetes' own",
        volume(
            name="kube-api-access-abcde",
            projected={"sources": [{"configMap": {"name": "mine"}}]},
        ),
        {Reason.VOLUME_NOT_ALLOWED},
    ),
    (
        "a secret in a volume named like Kubernetes' own",
        volume(name="kube-api-access-abcde", projected={"sources": [{"secret": {"name": "mine"}}]}),
        {Reason.VOLUME_NOT_ALLOWED},
    ),
    (
        "a probe of another path",
        probe(httpGet={"path": "/v1/models", "port": 8000}),
        {Reason.PROBE_NOT_DECLARED},
    ),
    ("a probe of no path", probe(httpGet={"port": 8000}), {Reason.PROBE_NOT_DECLARED}),
    (
        "a probe with a query",
        probe(httpGet={"path": "/health?x=1", "port": 8000}),
        {Reason.PROBE_NOT_DECLARED},
    ),
    (
        "a probe of another port",
        probe(httpGet={"path": "/health", "port": 9000}),
        {Reason.PROBE_NOT_DECLARED},
    ),
    (
        "a probe of another host",
        probe(httpGet={"path": "/health", "port": 8000, "host": "10.0.0.1"}),
        {Reason.PROBE_NOT_DECLARED},
    ),
    ("a TCP probe elsewhere", probe(tcpSocket={"port": 22}), {Reason.PROBE_NOT_DECLARED}),
    ("a gRPC probe", probe(grpc={"port": 8000}), {Reason.PROBE_NOT_DECLARED}),
    (
        "a hook elsewhere",
        on_server(lifecycle={"preStop": {"httpGet": {"path": "/off", "port": 8000}}}),
        {Reason.PROBE_NOT_DECLARED},
    ),
    (
        "a second port",
        on_server(
            ports=[{"name": "http", "containerPort": 8000}, {"name": "x", "containerPort": 9}]
        ),
        {Reason.PORT_NOT_DECLARED},
    ),
    (
        "a bind to every address",
        on_server(args=["--model", "/models", "--host=0.0.0.0"]),
        {Reason.PORT_NOT_DECLARED},
    ),
    ("a bind by variable", env("OLLAMA_HOST", "0.0.0.0:11434"), {Reason.PORT_NOT_DECLARED}),
]


@pytest.mark.requirement(
    "a second container, an unnamed server image, a second unmeasured volume, no model volume, "
    "a loopback port-forwarder → denied"
)
@pytest.mark.parametrize(
    ("change", "expected"), [c[1:] for c in WRITTEN], ids=[c[0] for c in WRITTEN]
)
def test_what_a_tenant_may_not_write(change: Change, expected: set[Reason]) -> None:
    """A pod that would serve something else, or elsewhere, is refused with its own reason."""
    found = reasons(GOOD.written(change).build())
    assert expected <= set(found)
    assert set(found) <= expected | {Reason.NOT_GATED, Reason.NOT_INJECTED, Reason.RESERVED_NAME}


def test_the_pod_they_start_from_is_good() -> None:
    """Without a change, the pod of every case above is allowed, without a warning."""
    judgement = validate.create(GOOD.build(), WORLD.snapshot)
    assert judgement.verdict.allowed, judgement.verdict.text()
    assert judgement.warnings == ()


def drop_init(at: int) -> Change:
    """Remove an injected container."""
    return lambda pod: pod["spec"]["initContainers"].pop(at)


def reverse(pod: Document) -> None:
    """The sidecar before the measurement."""
    pod["spec"]["initContainers"].reverse()


def as_regular(pod: Document) -> None:
    """The sidecar as an ordinary container, which stops nobody from starting."""
    pod["spec"]["containers"].append(pod["spec"]["initContainers"].pop(1))


def to_injected_volume(at: int, **fields: Any) -> Change:
    """Change an injected volume."""

    def change(pod: Document) -> None:
        ours = [v for v in pod["spec"]["volumes"] if v["name"].startswith("quorate-")]
        ours[at].update(fields)

    return change


# What another webhook or a hand does after the injection.
TAMPERED: list[tuple[str, Change, set[Reason]]] = [
    ("no measurement", drop_init(0), {Reason.NOT_INJECTED, Reason.RESERVED_NAME}),
    ("no sidecar", drop_init(1), {Reason.NOT_INJECTED, Reason.RESERVED_NAME}),
    ("the wrong order", reverse, {Reason.NOT_INJECTED}),
    ("a container after ours", init_container(first=False), {Reason.NOT_INJECTED}),
    (
        "the sidecar as an ordinary container",
        as_regular,
        {Reason.NOT_INJECTED, Reason.EXTRA_CONTAINER},
    ),
    (
        "another sidecar image",
        lambda pod: swap(pod, 1, image=OTHER_IMAGE),
        {Reason.NOT_INJECTED},
    ),
    ("another command", lambda pod: swap(pod, 0, command=["true"]), {Reason.NOT_INJECTED}),
    ("another member", lambda pod: swap(pod, 1, args=["serve"]), {Reason.NOT_INJECTED}),
    ("more environment", lambda pod: swap(pod, 1, env=[]), {Reason.NOT_INJECTED}),
    (
        "a resized sidecar",
        lambda pod: swap(pod, 1, resources={"limits": {"cpu": "1m"}, "requests": {"cpu": "1m"}}),
        {Reason.NOT_INJECTED},
    ),
    (
        "limits without the memory",
        lambda pod: pod["spec"]["initContainers"][1]["resources"]["limits"].pop("memory"),
        {Reason.NOT_INJECTED},
    ),
    ("no gate", lambda pod: pod["spec"].pop("schedulingGates"), {Reason.NOT_GATED}),
    (
        "the server in our token's volume",
        lambda pod: pod["spec"]["containers"][0]["volumeMounts"].append(
            {"name": names.TOKEN_VOLUME, "mountPath": "/t"}
        ),
        {Reason.RESERVED_NAME},
    ),
    (
        "a longer token",
        to_injected_volume(0, **token("quorate", expirationSeconds=86400)),
        {Reason.RESERVED_NAME, Reason.NOT_INJECTED, Reason.TOKEN_AUDIENCE},
    ),
    (
        "the tenant's token in our empty directory's place",
        to_injected_volume(2, emptyDir={}),
        {Reason.RESERVED_NAME, Reason.NOT_INJECTED},
    ),
    (
        "one more volume under our prefix",
        volume(name="quorate-more", emptyDir={}),
        {Reason.RESERVED_NAME},
    ),
    (
        "an ephemeral container as kubectl debug --target writes it",
        on_spec(
            ephemeralContainers=[
                {"name": "debug", "image": OTHER_IMAGE, "targetContainerName": "server"}
            ]
        ),
        {Reason.EPHEMERAL_CONTAINER, Reason.SERVER_NOT_ALLOWED},
    ),
]


@pytest.mark.parametrize(
    ("change", "expected"), [c[1:] for c in TAMPERED], ids=[c[0] for c in TAMPERED]
)
def test_what_comes_after_the_injection(change: Change, expected: set[Reason]) -> None:
    """The final pod is judged: whatever was injected must be there, whole, last and once."""
    assert set(reasons(GOOD.tampered(change).build())) == expected


@pytest.mark.parametrize("name", [names.MEASURE_CONTAINER, names.SIDECAR_CONTAINER])
@pytest.mark.parametrize("field", ["initContainers", "containers"])
def test_a_name_like_ours_is_no_injection(name: str, field: str) -> None:
    """A tenant's container that bears our name keeps mutate from nothing and validate from less."""

    def impostor(pod: Document) -> None:
        pod["spec"].setdefault(field, []).append({"name": name, "image": OTHER_IMAGE})

    found = reasons(GOOD.written(impostor).build())
    assert Reason.NOT_INJECTED in found or Reason.RESERVED_NAME in found


@pytest.mark.parametrize(
    "name", [names.TOKEN_VOLUME, names.WORK_VOLUME, names.NO_TOKEN_VOLUME, names.AUDIT_VOLUME]
)
def test_a_volume_like_ours_is_no_injection(name: str) -> None:
    """A tenant's volume under our name is refused, whatever it holds."""
    found = reasons(GOOD.written(volume(name=name, emptyDir={})).build())
    assert {Reason.NOT_INJECTED, Reason.RESERVED_NAME} <= set(found)


def test_a_limit_range_may_add_what_we_do_not_name() -> None:
    """Resources that a LimitRange gives every container do not make the injection another one."""

    def default_storage(pod: Document) -> None:
        for container_ in pod["spec"]["initContainers"]:
            resources = container_["resources"]
            container_["resources"] = {
                kind: resources[kind] | {"ephemeral-storage": "1Gi"} for kind in resources
            }

    assert reasons(GOOD.tampered(default_storage).build()) == []


def test_harmless_variables_pass() -> None:
    """Common variables without a way to load code are no reason to refuse."""
    assert reasons(GOOD.written(env("PYTHONUNBUFFERED", "1")).build()) == []


def test_mesh_and_init_containers_before_ours_pass() -> None:
    """Allowed init containers run before the measurement."""
    assert reasons(GOOD.written(init_container()).build()) == []
