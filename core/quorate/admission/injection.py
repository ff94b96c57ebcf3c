"""The containers and volumes that go into a model pod, to the byte.

Mutate adds exactly these, validate and the floor compare with exactly these. Every field that the
API server would default is written out, so that what comes back from it is equal to what went in.

Two parts may differ from pod to pod. The names of members to begin with are those of the epoch in
which it was injected. They are hints: whom a sidecar believes is pinned by the genesis digest, and
where it asks by the URL around the name. And a pod may name a Secret with a deck of canaries: which
deck counts is in the chain.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import msgspec

from quorate import names
from quorate.admission.audit_storage import AuditStorage, checked
from quorate.admission.quantity import canonical_quantity
from quorate.consensus.epoch import Epoch
from quorate.consensus.thresholds import MEMBERS_MAX
from quorate.errors import InvalidInput
from quorate.manifest import check_digest
from quorate.statements import convert

Pod = dict[str, Any]
"""A pod as JSON. It is never re-serialised from a typed form: unknown fields must survive."""


class Resources(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Requests and limits, equal so that Guaranteed pods stay Guaranteed.

    Kubernetes quantities, in the spelling the API server stores (see :func:`parse_config`).
    """

    cpu: str
    memory: str

    @property
    def document(self) -> dict[str, Any]:
        """The container's ``resources`` field."""
        amounts = {"cpu": self.cpu, "memory": self.memory}
        return {"limits": dict(amounts), "requests": dict(amounts)}


class InjectionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What the injected containers are made of; the same for every pod of an installation."""

    image: str
    genesis_digest: str
    member_url: str
    """Where members are; ``{member}`` in its host stands for a name."""
    measure_resources: Resources
    sidecar_resources: Resources
    drain_seconds: int
    audit: AuditStorage = AuditStorage()
    members: tuple[str, ...] = ()
    """Names of members to begin with; see :func:`seated`."""
    canaries: str = ""
    """The Secret with the deck that the pod asks; empty for the pods that ask none."""


def parse_config(document: Any) -> InjectionConfig:
    """Read the configuration; raises InvalidInput, and refuses an image without a digest.

    Quantities are brought into the spelling that the API server answers with.
    """
    config = convert(document, InjectionConfig, "injection")
    check_digest(config.genesis_digest, "injection.genesisDigest")
    _, _, digest = config.image.rpartition("@")
    check_digest(digest, "injection.image")
    _check_url(config.member_url, "injection.memberUrl")
    if not are_names(config.members) and config.members:
        raise InvalidInput(f"must be at most {MEMBERS_MAX} names", field="injection.members")
    if config.canaries:
        raise InvalidInput("is the pods' to say, by annotation", field="injection.canaries")
    if not 0 <= config.drain_seconds <= 600:
        raise InvalidInput("must be between 0 and 600", field="injection.drainSeconds")
    return msgspec.structs.replace(
        config,
        measure_resources=_canonical(config.measure_resources, "injection.measureResources"),
        sidecar_resources=_canonical(config.sidecar_resources, "injection.sidecarResources"),
        audit=checked(config.audit, "injection.audit"),
    )


def _check_url(url: str, where: str) -> None:
    if not url.startswith("https://"):
        raise InvalidInput("must begin with https://", field=where)
    rest = url.replace(names.MEMBER_MARK, "", 1)
    if {"{", "}"} & set(rest):
        fix = f"https://quorate-{names.MEMBER_MARK}.example.test:8443"
        raise InvalidInput(f"may hold {names.MEMBER_MARK} once", field=where, fix=fix)


def seated(config: InjectionConfig, epoch: Epoch) -> InjectionConfig:
    """The configuration with the members of ``epoch`` to begin with.

    One whose name is no DNS label cannot be reached by a URL and is left out.
    """
    found = tuple(seat.name for seat in epoch.record.seats if are_names((seat.name,)))
    return msgspec.structs.replace(config, members=found)


SECRET_NAME: Final = "[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_SECRET_NAME: Final = re.compile(SECRET_NAME)


def asking(config: InjectionConfig, secret: str) -> InjectionConfig:
    """The configuration of a pod that asks the canaries of ``secret``; of none if it is empty."""
    return msgspec.structs.replace(config, canaries=secret) if secret else config


def canaries_of(volumes: Iterable[dict[str, Any]]) -> str:
    """The Secret whose deck a pod's sidecar reads, by the pod's volumes; empty if there is none, or
    one that is not as it would be injected."""
    for volume in volumes:
        if volume.get("name") == names.CANARY_VOLUME:
            source = volume.get("secret")
            name = source.get("secretName") if isinstance(source, dict) else None
            named = isinstance(name, str) and _SECRET_NAME.fullmatch(name)
            return str(name) if named and volume == canary_volume(str(name)) else ""
    return ""


def canary_volume(secret: str) -> dict[str, Any]:
    """The volume with the deck in ``secret``."""
    return {"name": names.CANARY_VOLUME, "secret": {"defaultMode": 0o444, "secretName": secret}}


CANARY_MOUNT: Final[dict[str, Any]] = {
    "name": names.CANARY_VOLUME,
    "mountPath": names.CANARY_PATH,
    "readOnly": True,
}
"""The sidecar's alone."""


MEMBER_NAME: Final = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
"""What may stand in the host of a URL: nothing that leads elsewhere."""
_MEMBER_NAME: Final = re.compile(MEMBER_NAME)
MEMBER_OPTION: Final = "--member="


def are_names(members: tuple[str, ...]) -> bool:
    """Whether a pod may begin with these: one to thirteen well-formed names."""
    return 0 < len(members) <= MEMBERS_MAX and all(map(_MEMBER_NAME.fullmatch, members))


def members_of(container: dict[str, Any]) -> tuple[str, ...]:
    """The names that an injected container was told to begin with, as they stand there."""
    told = (str(argument) for argument in container.get("args") or ())
    return tuple(
        argument.removeprefix(MEMBER_OPTION)
        for argument in told
        if argument.startswith(MEMBER_OPTION)
    )


def _canonical(resources: Resources, where: str) -> Resources:
    return Resources(
        cpu=canonical_quantity(resources.cpu, f"{where}.cpu"),
        memory=canonical_quantity(resources.memory, f"{where}.memory"),
    )


def _field(path: str) -> dict[str, Any]:
    return {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}


ENVIRONMENT = (
    ("QUORATE_POD_NAME", "metadata.name"),
    ("QUORATE_POD_NAMESPACE", "metadata.namespace"),
    ("QUORATE_POD_UID", "metadata.uid"),
    ("QUORATE_MODEL", f"metadata.labels['{names.MODEL_LABEL}']"),
    ("QUORATE_POD_IPS", "status.podIPs"),
)
"""Facts about the pod, by the downward API, so that arguments are the same in every pod."""

STARTUP_SECONDS = 600
"""How long the sidecar may take until it is ready: it may have to measure the model again."""


def _mounts(model_volume: str) -> list[dict[str, Any]]:
    return [
        {"name": model_volume, "mountPath": names.MODEL_PATH, "readOnly": True},
        {"name": names.TOKEN_VOLUME, "mountPath": names.TOKEN_PATH, "readOnly": True},
        {"name": names.WORK_VOLUME, "mountPath": names.WORK_PATH},
        {"name": names.NO_TOKEN_VOLUME, "mountPath": names.API_TOKEN_PATH, "readOnly": True},
    ]


def _container(
    config: InjectionConfig, name: str, command: str, resources: Resources, model_volume: str
) -> dict[str, Any]:
    return {
        "name": name,
        "image": config.image,
        "imagePullPolicy": "IfNotPresent",
        "args": [
            command,
            "--genesis-digest",
            config.genesis_digest,
            f"--member-url={config.member_url}",
            *(f"{MEMBER_OPTION}{member}" for member in config.members),
        ],
        "env": [{"name": key, "valueFrom": _field(path)} for key, path in ENVIRONMENT],
        "resources": resources.document,
        "volumeMounts": _mounts(model_volume),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsGroup": 65532,
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }


def _probe(kind: str, period_seconds: int, failure_threshold: int) -> dict[str, Any]:
    return {
        "exec": {"command": ["python3", "-m", "quorate_sidecar.probe", kind]},
        "failureThreshold": failure_threshold,
        "periodSeconds": period_seconds,
        "successThreshold": 1,
        "timeoutSeconds": 5,
    }


def measure_container(config: InjectionConfig, model_volume: str) -> dict[str, Any]:
    """The init container that hashes the model before anything serves it."""
    return _container(
        config, names.MEASURE_CONTAINER, "measure", config.measure_resources, model_volume
    )


def sidecar_container(config: InjectionConfig, model_volume: str) -> dict[str, Any]:
    """The native sidecar that stands between clients and the model server."""
    container = _container(
        config, names.SIDECAR_CONTAINER, "serve", config.sidecar_resources, model_volume
    )
    deck = [CANARY_MOUNT] if config.canaries else []
    return container | {
        "args": [*container["args"], *config.audit.arguments],
        "volumeMounts": [*container["volumeMounts"], config.audit.mount, *deck],
        "restartPolicy": "Always",
        "startupProbe": _probe("startup", 1, STARTUP_SECONDS),
        "readinessProbe": _probe("ready", 5, 2),
    }


TOKEN: Final[dict[str, Any]] = {
    "name": names.TOKEN_VOLUME,
    "projected": {
        "defaultMode": 0o444,
        "sources": [
            {
                "serviceAccountToken": {
                    "audience": names.AUDIENCE,
                    "expirationSeconds": 600,
                    "path": "token",
                }
            }
        ],
    },
}
"""The volume with the token for members."""


@lru_cache(maxsize=16)
def volumes(config: InjectionConfig) -> tuple[dict[str, Any], ...]:
    """The volumes of the injected containers, which no other container may mount.

    Shared between callers: never change them.
    """
    return (
        TOKEN,
        {"name": names.WORK_VOLUME, "emptyDir": {"sizeLimit": "16Mi"}},
        {"name": names.NO_TOKEN_VOLUME, "emptyDir": {"sizeLimit": "1Mi"}},
        config.audit.volume,
        *([canary_volume(config.canaries)] if config.canaries else []),
    )


@lru_cache(maxsize=256)
def containers(config: InjectionConfig, model_volume: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both injected containers, in order. Shared between callers: never change them."""
    return measure_container(config, model_volume), sidecar_container(config, model_volume)


def drain_hook(seconds: int) -> dict[str, Any]:
    """The model container's ``preStop``: streams drain before the server gets SIGTERM."""
    return {"sleep": {"seconds": seconds}}
