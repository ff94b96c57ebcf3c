"""CustomResourceDefinitions from the kinds of ``quorate.api.v1alpha1``."""

import inspect
from typing import Any

from quorate import names
from quorate.api.v1alpha1.meta import PrinterColumn, Resource, cel
from tools.gen.structural import Schema, structural

CATEGORY = "quorate"
"""``kubectl get quorate`` lists every kind of the project."""

_META_FIELDS: Schema = {
    "apiVersion": {
        "description": "Version of the schema this object is written in: quorate.dev/v1alpha1.",
        "type": "string",
    },
    "kind": {"description": "Kind of this object.", "type": "string"},
    "metadata": {"type": "object"},
}
"""What every object has; the API server gives them their own schema and descriptions."""


def crd(kind: type[Resource]) -> dict[str, Any]:
    """The CustomResourceDefinition of ``kind``. Raises SchemaError if its model says too little."""
    version: dict[str, Any] = {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(column) for column in kind.columns],
    }
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    version["schema"] = {"openAPIV3Schema": _schema(kind)}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{names.GROUP}",
            "labels": {"app.kubernetes.io/name": "quorate", "app.kubernetes.io/part-of": "quorate"},
        },
        "spec": {
            "group": names.GROUP,
            "names": {
                "kind": kind.kind_name,
                "listKind": f"{kind.kind_name}List",
                "plural": kind.plural,
                "singular": kind.kind_name.lower(),
                "shortNames": list(kind.short_names),
                "categories": [CATEGORY],
            },
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [version],
        },
    }


def _schema(kind: type[Resource]) -> Schema:
    parts = {
        name: structural(_model(kind, name)) | _described(kind, name) for name in ("spec", "status")
    }
    schema: Schema = {
        "description": inspect.getdoc(kind),
        "type": "object",
        "required": ["spec"],
        "properties": _META_FIELDS | parts,
    }
    return schema | (cel(*kind.rules) if kind.rules else {})


def _model(kind: type[Resource], field: str) -> Any:
    """The model behind ``spec`` or ``status``; the latter is optional."""
    annotation = kind.model_fields[field].annotation
    options = getattr(annotation, "__args__", (annotation,))
    return next(option for option in options if option is not type(None))


def _described(kind: type[Resource], field: str) -> Schema:
    description = kind.model_fields[field].description
    return {"description": description} if description else {}


def _column(column: PrinterColumn) -> dict[str, Any]:
    optional = {"description": column.description, "priority": column.priority}
    return {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.json_path,
        **{key: value for key, value in optional.items() if value},
    }
