"""From a pydantic model to a structural OpenAPI v3 schema, as a CustomResourceDefinition wants it.

References are inlined, ``anyOf`` with null becomes an optional field, and a field that lacks a
description or a bound stops the generation: the API server cannot estimate the cost of a rule over
something unbounded, and nobody can use a field that ``kubectl explain`` says nothing about.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

_KEPT = (
    "description",
    "type",
    "format",
    "default",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "required",
)
"""Keywords that pass as they are. ``properties``, ``items`` and the like are walked."""

_DROPPED = frozenset({"title", "additionalProperties", "propertyNames", "const", "$defs"})
"""Keywords that a structural schema does not know or that are handled by name.

``additionalProperties: false`` is what the API server does anyhow: it refuses or prunes unknown
fields, by the client's choice of field validation.
"""

INT32_MAX = 2**31 - 1


class SchemaError(ValueError):
    """A model says too little for a CustomResourceDefinition."""


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of ``model``, checked; raises SchemaError naming the field."""
    document = model.model_json_schema(by_alias=True)
    schema = _convert(document, document.get("$defs", {}), model.__name__)
    check(schema, model.__name__)
    return schema


def _convert(node: Schema, definitions: dict[str, Schema], path: str) -> Schema:
    node = _without_null(_resolve(node, definitions), definitions, path)
    known = {*_KEPT, *_DROPPED, "properties", "items"}
    unknown = [key for key in node if key not in known and not key.startswith("x-kubernetes-")]
    if unknown:
        raise SchemaError(f"{path}: no rule for the keyword {unknown[0]}")
    schema: Schema = {key: node[key] for key in _KEPT if key in node}
    if not schema.get("default", True):
        # A zero value says what an absent field says; writing it into every object is noise.
        del schema["default"]
    if "const" in node:
        schema["enum"] = [node["const"]]
    if schema.get("type") == "integer":
        small = schema.get("maximum", INT32_MAX + 1) <= INT32_MAX
        schema["format"] = "int32" if small else "int64"
    if "properties" in node:
        schema["properties"] = {
            name: _convert(child, definitions, f"{path}.{name}")
            for name, child in node["properties"].items()
        }
    if isinstance(node.get("additionalProperties"), dict):
        schema["additionalProperties"] = _convert(
            node["additionalProperties"], definitions, f"{path}{{}}"
        )
    if "items" in node:
        schema["items"] = _convert(node["items"], definitions, f"{path}[]")
        schema["x-kubernetes-list-type"] = node.get("x-kubernetes-list-type", "atomic")
    schema |= {key: value for key, value in node.items() if key.startswith("x-kubernetes-")}
    return schema


def _resolve(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """Inline a reference; what stands beside it wins over what it points at."""
    while "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        node = target | {key: value for key, value in node.items() if key != "$ref"}
    return node


def _without_null(node: Schema, definitions: dict[str, Schema], path: str) -> Schema:
    """``anyOf: [X, null]`` is X: an absent field says the same as a null one."""
    if "anyOf" not in node:
        return node
    others = [option for option in node["anyOf"] if option.get("type") != "null"]
    if len(others) != 1:
        raise SchemaError(f"{path}: a field must have one type besides null")
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    if rest.get("default", ...) is None:
        del rest["default"]
    return _resolve(others[0], definitions) | rest


def check(schema: Schema, path: str, *, field: bool = True) -> None:
    """Raise SchemaError unless every field is described and bounded."""
    kind = schema.get("type")
    if field and not schema.get("description"):
        raise SchemaError(f"{path}: must have a description")
    if kind == "string" and "maxLength" not in schema and "enum" not in schema:
        raise SchemaError(f"{path}: must have maxLength or enum")
    if kind == "integer" and "minimum" not in schema:
        raise SchemaError(f"{path}: must have a minimum")
    if kind == "array":
        if "maxItems" not in schema:
            raise SchemaError(f"{path}: must have maxItems")
        check(schema["items"], f"{path}[]", field=False)
    if "additionalProperties" in schema:
        if "maxProperties" not in schema:
            raise SchemaError(f"{path}: must have maxProperties")
        check(schema["additionalProperties"], f"{path}{{}}", field=False)
    if kind not in ("string", "integer", "boolean", "array", "object"):
        raise SchemaError(f"{path}: must have a type")
    for name, child in schema.get("properties", {}).items():
        check(child, f"{path}.{name}")
