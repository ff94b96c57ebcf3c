"""The pod in a manifest: a Pod, or the template of a workload."""

from pathlib import Path
from typing import Any, Final

import yaml

from quorate import limits
from quorate.errors import InvalidInput
from quorate_cli.cluster import kinds
from quorate_cli.cluster.kinds import Document
from quorate_cli.files import read_file

_NAMED_LISTS: Final = ("containers", "initContainers", "ephemeralContainers", "volumes")
_INNER_LISTS: Final = ("env", "volumeMounts", "ports")
_TEMPLATES: Final = {kind.name for kind in kinds.WORKLOADS}


def read_pod(path: Path, namespace: str) -> Document:
    """The only pod or workload of a YAML or JSON file, as a pod of ``namespace``.

    Raises InvalidInput if there is none, more than one, or it is not shaped like a pod.
    """
    try:
        text = read_file(path, limits.OBJECT_BYTES).decode("utf-8")
        documents = list(yaml.safe_load_all(text))
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise InvalidInput(f"is not YAML: {error}", field=str(path)) from None
    found = [d for d in _items(documents) if d.get("kind") == "Pod" or d.get("kind") in _TEMPLATES]
    if len(found) != 1:
        raise InvalidInput(
            f"must hold exactly one Pod or workload; it holds {len(found)}", field=str(path)
        )
    declared = (found[0].get("metadata") or {}).get("namespace")
    if declared not in (None, namespace):
        raise InvalidInput(
            f"is for namespace {declared}, not {namespace}",
            field=str(path),
            fix=f"use -n {declared}",
        )
    try:
        return pod_of(found[0], namespace)
    except InvalidInput as error:
        raise InvalidInput(error.message, field=f"{path}: {error.field}") from None


def declared_namespace(path: Path) -> str:
    """The namespace the first object of a file names; empty if it names none or cannot be read."""
    try:
        documents = list(yaml.safe_load_all(read_file(path, limits.OBJECT_BYTES)))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        return ""
    for document in _items(documents):
        metadata = document.get("metadata")
        if isinstance(metadata, dict) and isinstance(metadata.get("namespace"), str):
            return str(metadata["namespace"])
    return ""


def _items(documents: list[Any]) -> list[Document]:
    """The objects, those inside a List too."""
    objects = [d for d in documents if isinstance(d, dict)]
    inner = [d.get("items") for d in objects if d.get("kind") == "List"]
    return objects + [i for items in inner if isinstance(items, list) for i in items
                      if isinstance(i, dict)]  # fmt: skip


def pod_of(document: Document, namespace: str) -> Document:
    """A Pod, or the pod a workload would make. Raises InvalidInput naming a misshapen field."""
    if document.get("kind") == "Pod":
        pod = {"metadata": document.get("metadata"), "spec": document.get("spec")}
    else:
        spec = _mapping(document.get("spec"), "spec")
        if document.get("kind") == "CronJob":
            spec = _mapping(_mapping(spec.get("jobTemplate"), "jobTemplate").get("spec"), "spec")
        template = _mapping(spec.get("template"), "spec.template")
        name = _mapping(document.get("metadata"), "metadata").get("name", "")
        metadata = {"generateName": f"{name}-"} | (template.get("metadata") or {})
        pod = {"metadata": metadata, "spec": template.get("spec")}
    metadata = dict(_mapping(pod["metadata"], "metadata"))
    metadata["namespace"] = namespace
    spec = dict(_mapping(pod["spec"], "spec"))
    _check(metadata, spec)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _mapping(value: Any, field: str) -> Document:
    if not isinstance(value, dict):
        raise InvalidInput("must be an object", field=field)
    return value


def _check(metadata: Document, spec: Document) -> None:
    """What the API server would refuse before anything of ours saw it."""
    for name, value in _mapping(metadata.get("labels") or {}, "metadata.labels").items():
        if not isinstance(value, str):
            raise InvalidInput("must be text: quote it", field=f"metadata.labels.{name}")
    if not spec.get("containers"):
        raise InvalidInput("must have at least one container", field="spec.containers")
    for field in (*_NAMED_LISTS, "schedulingGates"):
        for index, item in enumerate(_list(spec, field, "spec")):
            where = f"spec.{field}[{index}]"
            if not isinstance(_mapping(item, where).get("name"), str):
                raise InvalidInput("must have a name", field=where)
            for inner in _INNER_LISTS:
                for position, entry in enumerate(_list(item, inner, where)):
                    _entry(entry, inner, f"{where}.{inner}[{position}]")


def _entry(entry: Any, kind: str, where: str) -> None:
    need = {"env": ("name",), "volumeMounts": ("name", "mountPath"), "ports": ()}[kind]
    for key in need:
        if not isinstance(_mapping(entry, where).get(key), str):
            raise InvalidInput(f"must have a {key}", field=where)
    if "value" in _mapping(entry, where) and not isinstance(entry["value"], str):
        raise InvalidInput("must be text: quote it", field=f"{where}.value")


def _list(holder: Document, field: str, where: str) -> list[Any]:
    value = holder.get(field) or []
    if not isinstance(value, list):
        raise InvalidInput("must be a list", field=f"{where}.{field}")
    return value
