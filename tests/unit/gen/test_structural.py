"""From pydantic to structural schemas: what is refused, and what comes out."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, StringConstraints, create_model

from quorate.api.v1alpha1 import KINDS
from quorate.api.v1alpha1.meta import Resource
from tools.gen.crd import crd
from tools.gen.structural import Schema, SchemaError, structural

Short = Annotated[str, StringConstraints(max_length=8)]


def walk(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """The schema and every schema inside it."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from walk(schema[key], f"{path}{key}")


def parts(kind: type[Resource]) -> list[Schema]:
    """The schemas of spec and status."""
    schema = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return [schema["properties"]["spec"], schema["properties"]["status"]]


def model(annotation: Any, field: Any) -> type[BaseModel]:
    """A described model with one field."""
    made: type[BaseModel] = create_model("Sample", field=(annotation, field))
    made.__doc__ = "A sample."
    return made


@pytest.mark.parametrize(
    ("annotation", "field", "message"),
    [
        (Short, Field(), "must have a description"),
        (str, Field(description="d"), "must have maxLength or enum"),
        (int, Field(description="d"), "must have a minimum"),
        (list[Short], Field(description="d"), "must have maxItems"),
        (list[str], Field(description="d", max_length=2), r"field\[\]: must have maxLength"),
        (dict[str, Short], Field(description="d"), "must have maxProperties"),
        (int | Short, Field(description="d"), "must have one type besides null"),
        (Any, Field(description="d"), "must have a type"),
        (tuple[int, int], Field(description="d"), "no rule for the keyword"),
    ],
)
def test_a_field_that_says_too_little_stops_generation(
    annotation: Any, field: Any, message: str
) -> None:
    """What has no description, bound or single type is refused, and named."""
    with pytest.raises(SchemaError, match=message):
        structural(model(annotation, field))


def test_optional_is_absent_not_null() -> None:
    """A field that may be None is optional, without a default and never nullable."""
    made = model(Short | None, Field(default=None, description="d"))
    schema = structural(made)
    expected = {"description": "d", "type": "string", "maxLength": 8}
    assert schema["properties"] == {"field": expected}
    assert "required" not in schema


def test_what_says_something_is_kept() -> None:
    """Defaults, single literals and bounds reach the schema; zero values do not."""
    assert structural(model(Short, Field(default="x", description="d")))["properties"]["field"][
        "default"
    ] == ("x")
    assert (
        "default"
        not in structural(model(Short, Field(default="", description="d")))["properties"]["field"]
    )
    literal = structural(model(Literal["only"], Field(description="d")))
    assert literal["properties"]["field"]["enum"] == ["only"]


@pytest.mark.requirement("CRDs: every field described, bounds on every list and string")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind_name)
def test_every_field_is_described_and_bounded(kind: type[Resource]) -> None:
    """Read from the result, not from the generator's own check."""
    for part in parts(kind):
        for path, schema in walk(part):
            element = path.endswith(("items", "additionalProperties"))
            assert element or schema.get("description"), path
            if schema["type"] == "string":
                assert "maxLength" in schema or "enum" in schema, path
            if schema["type"] == "array":
                assert schema["maxItems"] <= 1024, path
                assert schema["x-kubernetes-list-type"] in ("atomic", "set", "map"), path
            if "additionalProperties" in schema:
                assert schema["maxProperties"] <= 1024, path
            assert "anyOf" not in schema, path
            assert "$ref" not in schema, path
            assert "nullable" not in schema, path


@pytest.mark.requirement("CRDs: CEL validations with messages in must form")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind_name)
def test_every_rule_says_what_must_hold(kind: type[Resource]) -> None:
    """Each rule has a message with *must*, and names the field."""
    whole = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for path, schema in walk(whole):
        for rule in schema.get("x-kubernetes-validations", ()):
            assert " must " in rule["message"], f"{path}: {rule['message']}"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind_name)
def test_map_keys_are_required(kind: type[Resource]) -> None:
    """The keys of a list that is a map are fields that every element has."""
    for part in parts(kind):
        for path, schema in walk(part):
            for key in schema.get("x-kubernetes-list-map-keys", ()):
                assert key in schema["items"]["required"], path
