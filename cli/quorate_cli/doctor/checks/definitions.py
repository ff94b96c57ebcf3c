"""The CRDs: served, established, and with the fields of this version."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel

from quorate import names
from quorate.api.v1alpha1 import KINDS
from quorate_cli.cluster.kinds import Document
from quorate_cli.doctor.finding import UPGRADE, Finding, failed, ok
from quorate_cli.doctor.survey import Survey


def definitions(survey: Survey) -> Iterator[Finding]:
    """Every kind is served as this version knows it."""
    if not isinstance(survey.definitions, dict):
        return
    for kind in KINDS:
        check = f"CRD {kind.kind_name}"
        problem = _problem(kind, survey.definitions.get(kind.kind_name))
        if problem:
            fix = "install the CRDs of this version (crds.enabled in the chart)"
            yield failed(check, problem, fix, UPGRADE, "kubectl apply --server-side -f crds/")
        else:
            yield ok(check, f"{names.VERSION} served, fields as of this version")


def _problem(kind: type[BaseModel], document: Document | None) -> str:
    if document is None:
        return "is not installed"
    conditions = (document.get("status") or {}).get("conditions") or ()
    if not any((c.get("type"), c.get("status")) == ("Established", "True") for c in conditions):
        return "is not established"
    versions = (document.get("spec") or {}).get("versions") or ()
    served = next((v for v in versions if v.get("name") == names.VERSION), None)
    if served is None or not served.get("served"):
        return f"does not serve {names.VERSION}"
    live = ((served.get("schema") or {}).get("openAPIV3Schema") or {}).get("properties") or {}
    schema = _schema(kind)
    for part in ("spec", "status"):
        found = _fields_differ(schema, schema["properties"][part], live.get(part) or {}, part)
        if found:
            return f"is of another version: {found}"
    return ""


@cache
def _schema(kind: type[BaseModel]) -> Document:
    return kind.model_json_schema(by_alias=True)


def _fields_differ(root: Document, ours: Document, live: Document, path: str) -> str:
    """The first field only one of them knows."""
    ours = _resolved(root, ours)
    if ours.get("type") == "array":
        return _fields_differ(root, ours["items"], live.get("items") or {}, f"{path}[]")
    mine, theirs = ours.get("properties") or {}, live.get("properties") or {}
    for name in sorted({*mine, *theirs}):
        where = f"{path}.{name}"
        if name not in theirs:
            return f"{where} is missing"
        if name not in mine:
            return f"{where} is not known to this version"
        if found := _fields_differ(root, mine[name], theirs[name], where):
            return found
    return ""


def _resolved(root: Document, schema: Any) -> Document:
    """A schema without references and without the null of an optional field."""
    found: Document = schema
    while "$ref" in found or "anyOf" in found:
        if "anyOf" in found:
            found = next(part for part in found["anyOf"] if part.get("type") != "null")
        else:
            found = root["$defs"][found["$ref"].rpartition("/")[2]]
    return found
