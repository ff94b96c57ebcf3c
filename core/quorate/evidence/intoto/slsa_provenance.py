"""SLSA provenance (v1): how the model was made.

It gives no verdict: which builder, source and parameters are accepted is the gate's condition. It
is as old as the run that it describes; one that does not say when it ran cannot be too old, and so
does not count.

Source: https://slsa.dev/spec/v1.0/provenance
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from quorate.errors import InvalidInput
from quorate.evidence.intoto.descriptor import (
    Descriptor,
    Open,
    Text,
    Uri,
    check_descriptor,
    check_uri,
)
from quorate.evidence.intoto.facts import Facts, Outcome
from quorate.evidence.intoto.timestamps import parse_rfc3339
from quorate.statements import convert

_WHAT: Final = "provenance predicate"
_Parameters = Annotated[dict[str, Any], msgspec.Meta(max_length=1024)]
_Versions = Annotated[dict[Text, Text], msgspec.Meta(max_length=64)]
_Descriptors = Annotated[tuple[Descriptor, ...], msgspec.Meta(max_length=4096)]


class _Definition(Open, frozen=True):
    build_type: Uri
    external_parameters: _Parameters
    internal_parameters: _Parameters = msgspec.field(default_factory=dict)
    resolved_dependencies: _Descriptors = ()


class _Builder(Open, frozen=True):
    id: Uri
    version: _Versions = msgspec.field(default_factory=dict)
    builder_dependencies: _Descriptors = ()


class _Metadata(Open, frozen=True):
    invocation_id: Text | None = None
    started_on: str | None = None
    finished_on: str | None = None


class _Run(Open, frozen=True):
    builder: _Builder
    metadata: _Metadata
    byproducts: _Descriptors = ()


class _Predicate(Open, frozen=True):
    build_definition: _Definition
    run_details: _Run


def read(predicate: Mapping[str, Any]) -> Facts:
    """Read a predicate. Raises InvalidInput."""
    raw = convert(predicate, _Predicate, _WHAT)
    check_uri(raw.build_definition.build_type, "buildDefinition.buildType")
    check_uri(raw.run_details.builder.id, "runDetails.builder.id")
    for field, descriptors in (
        ("buildDefinition.resolvedDependencies[]", raw.build_definition.resolved_dependencies),
        ("runDetails.builder.builderDependencies[]", raw.run_details.builder.builder_dependencies),
        ("runDetails.byproducts[]", raw.run_details.byproducts),
    ):
        for descriptor in descriptors:
            check_descriptor(descriptor, field)
    times = [
        parse_rfc3339(text, f"runDetails.metadata.{field}")
        for field, text in (
            ("startedOn", raw.run_details.metadata.started_on),
            ("finishedOn", raw.run_details.metadata.finished_on),
        )
        if text is not None
    ]
    if not times:
        raise InvalidInput("must have finishedOn or startedOn", field="runDetails.metadata")
    if times != sorted(times):
        raise InvalidInput(
            "must not be after the run finished", field="runDetails.metadata.startedOn"
        )
    return Facts(result=Outcome.PASSED, made_at=times[-1])
