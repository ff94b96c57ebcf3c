"""Every volume is the model, injected, declared, or Kubernetes' own API token."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from quorate import names
from quorate.admission import injection
from quorate.admission.injection import InjectionConfig
from quorate.admission.rules.allowed import Allowed
from quorate.admission.rules.subject import Subject
from quorate.verdict import Denial, Reason

_API_TOKEN_PREFIX = "kube-api-access-"
_API_TOKEN_SOURCES = {"serviceAccountToken", "configMap", "downwardAPI"}


def volumes(subject: Subject, allowed: Allowed) -> Iterator[Denial]:
    """Whatever is neither measured nor declared as holding no model is refused."""
    ours = _injected(allowed.injections)
    for volume in subject.volumes:
        name = str(volume.get("name", ""))
        if name.startswith(names.VOLUME_PREFIX):
            if volume not in ours.get(name, ()):
                yield Denial(
                    Reason.RESERVED_NAME,
                    f"volume {name} is not the injected one",
                    fix=f"volume names must not begin with {names.VOLUME_PREFIX}",
                )
            continue
        kinds = [key for key in volume if key != "name"]
        if len(kinds) == 1 and (
            (name, kinds[0]) in allowed.volumes
            or volume in subject.model_volumes
            or _is_api_token(name, volume)
        ):
            continue
        yield Denial(
            Reason.VOLUME_NOT_ALLOWED,
            f"volume {name} ({', '.join(kinds)}) is neither the model nor declared",
            requirement="model.volumes",
            fix="remove it, or declare it in spec.model.volumes if it holds no model",
        )


@lru_cache(maxsize=16)
def _injected(injections: tuple[InjectionConfig, ...]) -> dict[str, list[dict[str, Any]]]:
    """By name, what may have been injected under it."""
    found: dict[str, list[dict[str, Any]]] = {}
    for config in injections:
        for volume in injection.volumes(config):
            found.setdefault(volume["name"], []).append(volume)
    return found


def _is_api_token(name: str, volume: dict[str, Any]) -> bool:
    """Whether this is the volume that ServiceAccount admission adds, and nothing else."""
    projected = volume.get("projected")
    if not isinstance(projected, dict) or not name.startswith(_API_TOKEN_PREFIX):
        return False
    seen: set[str] = set()
    for source in projected.get("sources") or []:
        seen |= set(source)
        token = source.get("serviceAccountToken")
        if token is not None and (token.get("audience") or token.get("path") != "token"):
            return False
        config = source.get("configMap")
        if config is not None and config.get("name") != "kube-root-ca.crt":
            return False
    return seen <= _API_TOKEN_SOURCES
