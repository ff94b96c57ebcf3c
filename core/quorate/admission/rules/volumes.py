"""Every volume is the model, injected, declared, or Kubernetes' own API token."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from quorate import names
from quorate.admission import injection
from quorate.admission.injection import InjectionConfig
from quorate.admission.rules.allowed import Allowed
from quorate.admission.rules.subject import Subject
from quorate.verdict import Denial, Reason

_API_TOKEN_PREFIX = "kube-api-access-"
_NAMESPACE = {
    "path": "namespace",
    "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
}
_API_TOKEN: list[Any] = sorted(
    [
        {"serviceAccountToken": {"path": "token"}},
        {
            "configMap": {
                "name": "kube-root-ca.crt",
                "items": [{"key": "ca.crt", "path": "ca.crt"}],
            }
        },
        {"downwardAPI": {"items": [_NAMESPACE]}},
    ],
    key=str,
)
"""Source: Kubernetes, plugin/pkg/admission/serviceaccount, ``TokenVolumeSource``."""


def volumes(subject: Subject, allowed: Allowed) -> Iterator[Denial]:
    """Whatever is neither measured nor declared as holding no model is refused."""
    ours, places = _injected(allowed.injections), dict[str, frozenset[str]]()
    for volume in subject.volumes:
        name = str(volume.get("name", ""))
        if name.startswith(names.VOLUME_PREFIX):
            if volume not in ours.get(name, ()) and not _is_deck(volume):
                yield Denial(
                    Reason.RESERVED_NAME,
                    f"volume {name} is not the injected one",
                    fix=f"volume names must not begin with {names.VOLUME_PREFIX}",
                )
            continue
        kinds = [key for key in volume if key != "name"]
        if len(kinds) == 1:
            key = (name, kinds[0])
            if key in allowed.volumes:
                if key in allowed.places:
                    places[name] = allowed.places[key]
                continue
            if volume in subject.model_volumes:
                continue
            if _is_api_token(name, volume):
                # Anywhere else its files would be somebody's modules.
                places[name] = frozenset({names.API_TOKEN_PATH})
                continue
        yield Denial(
            Reason.VOLUME_NOT_ALLOWED,
            f"volume {name} ({', '.join(kinds)}) is neither the model nor declared",
            requirement="model.volumes",
            fix="remove it, or declare it in spec.model.volumes if it holds no model",
        )
    yield from _misplaced(subject, places)


@lru_cache(maxsize=16)
def _injected(injections: tuple[InjectionConfig, ...]) -> dict[str, list[dict[str, Any]]]:
    """By name, what may have been injected under it."""
    found: dict[str, list[dict[str, Any]]] = {}
    for config in injections:
        for volume in injection.volumes(config):
            found.setdefault(volume["name"], []).append(volume)
    return found


def _is_deck(volume: dict[str, Any]) -> bool:
    """Whether it is the volume of a pod that asks canaries, whatever Secret they are in."""
    return bool(injection.canaries_of((volume,)))


def _is_api_token(name: str, volume: dict[str, Any]) -> bool:
    """Whether this is the volume that ServiceAccount admission adds, and nothing else.

    Compared whole: a tenant writes annotations, and that very ConfigMap, so every item but those
    could be a file of its making.
    """
    projected = volume.get("projected")
    if not isinstance(projected, dict) or not name.startswith(_API_TOKEN_PREFIX):
        return False
    if set(projected) - {"defaultMode", "sources"}:
        return False
    return sorted(map(_plain, projected.get("sources") or []), key=str) == _API_TOKEN


def _plain(source: Any) -> Any:
    """The source without how long the token lives, which API servers are configured with."""
    token = source.get("serviceAccountToken") if isinstance(source, dict) else None
    if not isinstance(token, dict):
        return source
    kept = {key: value for key, value in token.items() if key != "expirationSeconds"}
    return source | {"serviceAccountToken": kept}


def _misplaced(subject: Subject, places: Mapping[str, frozenset[str]]) -> Iterator[Denial]:
    """Files that a tenant writes lie where the platform says, or they could be programs."""
    for path, container in subject.users:
        for mount in container.get("volumeMounts") or ():
            name = str(mount.get("name", ""))
            whole = not (mount.get("subPath") or mount.get("subPathExpr"))
            if name in places and not (whole and mount.get("mountPath") in places[name]):
                where = " or ".join(sorted(places[name]))
                yield Denial(
                    Reason.VOLUME_NOT_ALLOWED,
                    f"{path} must mount {name} whole "
                    + (
                        f"at {where}"
                        if where
                        else "where a ClusterSafetyPolicy says, and none does"
                    ),
                    requirement="model.volumes",
                    fix="mount it there, or let a ClusterSafetyPolicy name the place in "
                    "spec.model.volumes[].mountPath",
                )
