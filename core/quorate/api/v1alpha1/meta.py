"""What the kinds share: strict models, metadata, owners, conditions, CEL rules."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from quorate import names
from quorate.errors import InvalidInput

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]
TaggedImage = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z0-9][A-Za-z0-9._/:-]*:[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=512
    ),
]
"""``repository:tag``, without a digest."""
Name = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)
]
ShortName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)
]
Timestamp = Annotated[
    str,
    StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z$", max_length=32),
]
Text = Annotated[str, StringConstraints(max_length=1024)]


class Model(BaseModel):
    """A strict part of a spec: camelCase outside, unknown fields refused, immutable."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


def cel(*rules: tuple[str, str]) -> dict[str, Any]:
    """``x-kubernetes-validations`` from ``(rule, message)`` pairs, for ``json_schema_extra``."""
    return {
        "x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in rules]
    }


def list_map(*keys: str) -> dict[str, Any]:
    """Mark a list as a map keyed by ``keys``, for server-side apply."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


SET: dict[str, Any] = {"x-kubernetes-list-type": "set"}
"""Mark a list of scalars as a set: no value twice."""


class Metadata(BaseModel):
    """The part of ObjectMeta this project reads. The rest passes unread."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")

    name: str
    namespace: str | None = None
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    labels: dict[str, str] = Field(default_factory=dict)


class Owner(Model):
    """Who answers for something, and how to reach them."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=253)] = Field(
        description="Name of the team or role that answers for this."
    )
    contact: Annotated[str, StringConstraints(min_length=1, max_length=253)] = Field(
        description="Where that team is reached: an e-mail address, a channel or a URL."
    )


class Owners(Model):
    """The three parties that a denial or an incident names."""

    model: Owner = Field(description="Who owns the model and its evidence.")
    safety: Owner = Field(description="Who owns the safety requirements.")
    infra: Owner = Field(description="Who owns the cluster the model runs on.")


class Condition(Model):
    """One observation about an object, as Kubernetes conditions go."""

    type: Annotated[str, StringConstraints(max_length=316)] = Field(
        description="What is observed, in CamelCase."
    )
    status: Literal["True", "False", "Unknown"] = Field(
        description="Whether it holds: True, False or Unknown."
    )
    observed_generation: int = Field(
        default=0, ge=0, description="Generation of the spec this was observed on."
    )
    last_transition_time: Timestamp = Field(description="When the status last changed.")
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1024)] = Field(
        description="Why, as one stable CamelCase word."
    )
    message: Annotated[str, StringConstraints(max_length=8192)] = Field(
        description="Why, for people."
    )


@dataclass(frozen=True)
class PrinterColumn:
    """One column of ``kubectl get``."""

    name: str
    json_path: str
    type: str = "string"
    description: str = ""
    priority: int = 0


class Resource(BaseModel):
    """A whole object. Subclasses say how the API server lists and names them."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")

    kind_name: ClassVar[str]
    plural: ClassVar[str]
    short_names: ClassVar[tuple[str, ...]]
    namespaced: ClassVar[bool]
    columns: ClassVar[tuple[PrinterColumn, ...]]
    selectable: ClassVar[tuple[str, ...]] = ()
    """Fields that ``kubectl get --field-selector`` takes, as JSON paths."""
    rules: ClassVar[tuple[tuple[str, str], ...]] = ()
    """CEL rules over the whole object, as :func:`cel` takes them."""

    api_version: str = names.API_VERSION
    kind: str = ""
    metadata: Metadata

    @property
    def ref(self) -> str:
        """``Kind/namespace/name`` or ``Kind/name``: how messages name the object."""
        parts = (self.kind_name, self.metadata.namespace, self.metadata.name)
        return "/".join(part for part in parts if part)


R = TypeVar("R", bound=Resource)


def read(kind: type[R], document: Any) -> R:
    """Read an object as the API server gives it; raise InvalidInput naming the first bad field."""
    try:
        resource = kind.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(first["msg"], field=f"{kind.kind_name}.{field}") from None
    if (resource.api_version, resource.kind) != (names.API_VERSION, kind.kind_name):
        raise InvalidInput(f"must be a {names.API_VERSION} {kind.kind_name}", field="kind")
    return resource
