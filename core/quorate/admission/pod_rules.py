"""What a model pod must look like, whatever the evidence says. One small rule a function.

Each rule takes the pod and what the policies allow, and returns its denials.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from quorate import names
from quorate.admission import injection, pods
from quorate.admission.injection import InjectionConfig, Pod
from quorate.api.v1alpha1 import AttestedModel
from quorate.policy.runtime import RuntimeRules
from quorate.verdict import Denial, Reason


@dataclass(frozen=True, slots=True)
class Allowed:
    """What all policies that select the pod leave allowed."""

    model: AttestedModel
    servers: frozenset[str]
    volumes: frozenset[tuple[str, str]]
    rules: RuntimeRules
    injection: InjectionConfig
    claim_modes: tuple[str, ...] | None
    """Access modes of the model's claim; None if it is unknown or the source is an image."""


Rule = Callable[[Pod, Allowed], Iterable[Denial]]

_LOADER_VARIABLES = (
    "LD_",
    "PYTHON",
    "BASH_ENV",
    "ENV",
    "NODE_OPTIONS",
    "PERL5",
    "RUBYOPT",
    "JAVA_TOOL_OPTIONS",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
)
"""Variables (or prefixes) by which a loader or an interpreter runs code that was not measured."""


def host_access(pod: Pod, allowed: Allowed) -> Iterator[Denial]:
    """No way to the host, to other pods' processes, or into the sidecar's namespaces."""
    spec = pod["spec"]
    for field in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
        if spec.get(field):
            yield Denial(Reason.HOST_ACCESS, f"spec.{field} must not be true")
    for path, container in pods.users_containers(pod):
        context = container.get("securityContext") or {}
        added = (context.get("capabilities") or {}).get("add") or []
        if added:
            yield Denial(Reason.HOST_ACCESS, f"{path} must not add capabilities ({added[0]})")
        if context.get("privileged"):
            yield Denial(Reason.HOST_ACCESS, f"{path} must not be privileged")
        if context.get("procMount") not in (None, "Default"):
            yield Denial(Reason.HOST_ACCESS, f"{path} must not set procMount")
        if any(port.get("hostPort") for port in container.get("ports") or []):
            yield Denial(Reason.HOST_ACCESS, f"{path} must not use a hostPort")


def containers(pod: Pod, allowed: Allowed) -> Iterator[Denial]:
    """One model server, by an image the policies name, started the way its image says."""
    regular = pod["spec"].get("containers") or []
    if len(regular) != 1:
        others = ", ".join(container["name"] for container in regular[1:])
        yield Denial(
            Reason.EXTRA_CONTAINER,
            f"a model pod holds one container besides the injected ones; also found: {others}",
            fix="move the other containers to a pod of their own",
        )
    if pod["spec"].get("ephemeralContainers"):
        yield Denial(Reason.EPHEMERAL_CONTAINER, "a model pod must not hold ephemeral containers")
    for path, container in pods.users_containers(pod):
        digest = pods.image_digest(container)
        if digest not in allowed.servers:
            yield Denial(
                Reason.SERVER_NOT_ALLOWED,
                f"{path}: image {container.get('image', '')!r} is not one the policies name",
                requirement="model.servers",
                fix="use an image of spec.model.servers, by digest",
            )
        if container.get("restartPolicy") == "Always" and "initContainers" in path:
            yield Denial(Reason.EXTRA_CONTAINER, f"{path} must not be a native sidecar")
        yield from _other_code(path, container)


def _other_code(path: str, container: dict[str, Any]) -> Iterator[Denial]:
    """Ways to run other code in an allowed image: commands, hooks, probes, loader variables."""
    if container.get("command"):
        yield Denial(
            Reason.SERVER_NOT_ALLOWED,
            f"{path} must not override the image's command",
            requirement="model.servers",
            fix="leave command unset and build what the server needs into its image",
        )
    hooks = container.get("lifecycle") or {}
    for hook, action in hooks.items():
        if isinstance(action, dict) and "exec" in action:
            yield Denial(Reason.SERVER_NOT_ALLOWED, f"{path}.lifecycle.{hook} must not exec")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if "exec" in (container.get(probe) or {}):
            yield Denial(
                Reason.SERVER_NOT_ALLOWED,
                f"{path}.{probe} must not exec",
                fix="use httpGet on a path of runtime.upstream.probePaths",
            )
    if container.get("envFrom"):
        yield Denial(
            Reason.SERVER_NOT_ALLOWED, f"{path}.envFrom must not be set: name each variable"
        )
    for variable in container.get("env") or []:
        name = str(variable.get("name", ""))
        if any(name == bad or (name.startswith(bad) and bad != "ENV") for bad in _LOADER_VARIABLES):
            yield Denial(Reason.SERVER_NOT_ALLOWED, f"{path} must not set {name}")


def volumes(pod: Pod, allowed: Allowed) -> Iterator[Denial]:
    """Every volume is the model, injected, declared, or Kubernetes' own API token."""
    source = allowed.model.spec.source
    expected = {volume["name"]: volume for volume in injection.volumes()}
    for volume in pod["spec"].get("volumes") or []:
        name = str(volume.get("name", ""))
        if name.startswith(names.VOLUME_PREFIX):
            if volume != expected.get(name):
                yield Denial(Reason.RESERVED_NAME, f"volume {name} is not the injected one")
            continue
        kinds = sorted(set(volume) - {"name"})
        if pods.is_source(volume, source) or _is_api_token(volume):
            continue
        if len(kinds) != 1 or (name, kinds[0]) not in allowed.volumes:
            yield Denial(
                Reason.VOLUME_NOT_ALLOWED,
                f"volume {name} ({', '.join(kinds)}) is neither the model nor declared",
                requirement="model.volumes",
                fix="remove it, or declare it in spec.model.volumes if it holds no model",
            )


def _is_api_token(volume: dict[str, Any]) -> bool:
    """Whether this is the volume that ServiceAccount admission adds, and nothing else."""
    projected = volume.get("projected")
    if not isinstance(projected, dict) or not str(volume["name"]).startswith("kube-api-access-"):
        return False
    sources = projected.get("sources") or []
    seen = set()
    for source in sources:
        seen |= set(source)
        token = source.get("serviceAccountToken")
        if token is not None and (token.get("audience") or token.get("path") != "token"):
            return False
        config = source.get("configMap")
        if config is not None and config.get("name") != "kube-root-ca.crt":
            return False
    return seen <= {"serviceAccountToken", "configMap", "downwardAPI"}


def token_audience(pod: Pod, allowed: Allowed) -> Iterator[Denial]:
    """Only the injected volume may project a token of our audience."""
    for volume in pod["spec"].get("volumes") or []:
        if volume.get("name") == names.TOKEN_VOLUME:
            continue
        for source in (volume.get("projected") or {}).get("sources") or []:
            audience = (source.get("serviceAccountToken") or {}).get("audience") or ""
            if audience.startswith(names.AUDIENCE):
                yield Denial(
                    Reason.TOKEN_AUDIENCE,
                    f"volume {volume['name']} must not project a token for {audience}",
                )


def model_mount(pod: Pod, allowed: Allowed) -> Iterator[Denial]:
    """The model's volume is there once, and every container mounts it whole and read-only."""
    source = allowed.model.spec.source
    found = pods.model_volumes(pod, source)
    if len(found) != 1:
        where = source.image.reference if source.image else "the claim of spec.source"
        yield Denial(
            Reason.MODEL_NOT_MOUNTED,
            f"the pod must have exactly one volume with the model ({where}); it has {len(found)}",
            requirement="model.source",
            fix="add a volume that is the AttestedModel's spec.source and mount it read-only",
        )
        return
    volume = found[0]
    yield from _claim(volume, allowed)
    mounted = False
    for path, container in pods.users_containers(pod):
        if container.get("volumeDevices"):
            yield Denial(Reason.VOLUME_NOT_ALLOWED, f"{path}.volumeDevices must not be set")
        for mount in container.get("volumeMounts") or []:
            if str(mount.get("name", "")).startswith(names.VOLUME_PREFIX):
                yield Denial(Reason.RESERVED_NAME, f"{path} must not mount {mount['name']}")
            if mount.get("name") != volume["name"]:
                continue
            mounted = mounted or path == "spec.containers[0]"
            if mount.get("readOnly") is not True:
                yield Denial(
                    Reason.MODEL_MOUNT_WRITABLE,
                    f"{path} must mount {volume['name']} with readOnly: true",
                    requirement="model.source",
                )
            if mount.get("subPath") or mount.get("subPathExpr"):
                yield Denial(
                    Reason.MODEL_MOUNT_WRITABLE, f"{path} must mount {volume['name']} whole"
                )
    if not mounted:
        yield Denial(
            Reason.MODEL_NOT_MOUNTED,
            f"the model server does not mount {volume['name']}, so it serves something else",
            requirement="model.source",
        )


def _claim(volume: dict[str, Any], allowed: Allowed) -> Iterator[Denial]:
    claim = volume.get("persistentVolumeClaim")
    if claim is None:
        return
    if claim.get("readOnly") is not True:
        yield Denial(
            Reason.MODEL_MOUNT_WRITABLE, f"volume {volume['name']} must set readOnly: true"
        )
    if allowed.claim_modes != ("ReadOnlyMany",):
        modes = ", ".join(allowed.claim_modes) if allowed.claim_modes else "unknown"
        yield Denial(
            Reason.MODEL_MOUNT_WRITABLE,
            f"the claim's access modes must be ReadOnlyMany alone (they are {modes}): "
            "another pod could change the model after it was measured",
            fix="bind the model with a ReadOnlyMany claim, or ship it as an image volume",
        )


def ports_and_probes(pod: Pod, allowed: Allowed) -> Iterator[Denial]:
    """Probes and hooks go to the sidecar's port and to declared paths only."""
    rules = allowed.rules
    for path, container in pods.users_containers(pod):
        named = {p.get("name"): p.get("containerPort") for p in container.get("ports") or []}
        for kind, action in _network_actions(container):
            target = action.get("port")
            port = named.get(target, target)
            if port != rules.port or action.get("host"):
                yield Denial(
                    Reason.PROBE_NOT_DECLARED,
                    f"{path}.{kind} must use port {rules.port} of the pod, not {target}",
                    requirement="runtime.upstream.port",
                )
            probe_path = action.get("path")
            if probe_path is not None and probe_path not in rules.probe_paths:
                yield Denial(
                    Reason.PROBE_NOT_DECLARED,
                    f"{path}.{kind} uses {probe_path}, which no policy declares",
                    requirement="runtime.upstream.probePaths",
                    fix="declare the path, or use a declared one",
                )


def _network_actions(container: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The HTTP, TCP and gRPC actions of a container's probes and hooks."""
    holders = {probe: container.get(probe) for probe in _PROBES}
    hooks = container.get("lifecycle") or {}
    holders |= {f"lifecycle.{hook}": hooks.get(hook) for hook in ("postStart", "preStop")}
    for kind, holder in holders.items():
        for action in ("httpGet", "tcpSocket", "grpc"):
            if isinstance((holder or {}).get(action), dict):
                yield f"{kind}.{action}", (holder or {})[action]


_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def injected(pod: Pod, allowed: Allowed) -> Iterator[Denial]:
    """Both injected containers are there once, last among the init containers, to the byte."""
    found = pods.model_volumes(pod, allowed.model.spec.source)
    if len(found) != 1:
        return
    volume = found[0]["name"]
    expected = [
        injection.measure_container(allowed.injection, volume),
        injection.sidecar_container(allowed.injection, volume),
    ]
    fix = "create the pod anew; another webhook or a hand may have changed it"
    if pods.init_containers(pod)[-2:] != expected:
        yield Denial(
            Reason.NOT_INJECTED,
            f"the last init containers must be {' and '.join(pods.INJECTED)}, as injected",
            fix=fix,
        )
    reserved = [c["name"] for _, c in pods.all_containers(pod) if c["name"].startswith("quorate-")]
    if sorted(reserved) != sorted(pods.INJECTED):
        yield Denial(Reason.RESERVED_NAME, "container names must not begin with quorate-", fix=fix)
    present = {volume["name"]: volume for volume in pod["spec"].get("volumes") or []}
    for volume_ in injection.volumes():
        if present.get(volume_["name"]) != volume_:
            yield Denial(
                Reason.NOT_INJECTED, f"volume {volume_['name']} must be as injected", fix=fix
            )


RULES: tuple[Rule, ...] = (
    host_access,
    containers,
    volumes,
    token_audience,
    model_mount,
    ports_and_probes,
    injected,
)


def check(pod: Pod, allowed: Allowed) -> list[Denial]:
    """All denials of all rules, in order."""
    return [denial for rule in RULES for denial in rule(pod, allowed)]
