"""CycloneDX BOM (1.5 to 1.7) with a model card.

A BOM gives no verdict: it shows that the model is documented, and the gate's condition may ask for
what it must say. Model cards exist since 1.5, and at least one component must have one. The schema
closes every object; here that is kept for the document, models and model cards, which is what a
gate reads.

Source: https://cyclonedx.org/docs/1.6/json/
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

import msgspec

from quorate.errors import InvalidInput
from quorate.evidence.intoto.descriptor import Open, Text
from quorate.evidence.intoto.facts import Facts, Outcome
from quorate.evidence.intoto.timestamps import parse_rfc3339
from quorate.statements import convert

MODEL: Final = "machine-learning-model"
VERSIONS: Final = ("1.5", "1.6", "1.7")
_WHAT: Final = "CycloneDX BOM"
_BOM: Final = frozenset(
    {
        *("$schema", "bomFormat", "specVersion", "serialNumber", "version", "metadata"),
        *("components", "services", "externalReferences", "dependencies", "compositions"),
        *("vulnerabilities", "annotations", "formulation", "properties", "signature"),
    }
)
_BOM_SINCE: Final = {"1.5": frozenset[str](), "1.6": frozenset({"declarations", "definitions"})}
_BOM_SINCE["1.7"] = _BOM_SINCE["1.6"] | {"citations"}
_CARD: Final = frozenset(
    {"bom-ref", "modelParameters", "quantitativeAnalysis", "considerations", "properties"}
)


class _Component(Open, frozen=True):
    type: Text
    name: Text
    version: Annotated[str, msgspec.Meta(max_length=1024)] | None = None
    model_card: dict[str, Any] | None = None
    components: Annotated[tuple[dict[str, Any], ...], msgspec.Meta(max_length=10_000)] = ()


class _Metadata(Open, frozen=True):
    timestamp: str
    component: _Component | None = None


class _Predicate(Open, frozen=True):
    bom_format: Literal["CycloneDX"]
    spec_version: Literal["1.5", "1.6", "1.7"]
    metadata: _Metadata
    version: Annotated[int, msgspec.Meta(ge=1)] = 1
    components: Annotated[tuple[_Component, ...], msgspec.Meta(max_length=10_000)] = ()


def read(predicate: Mapping[str, Any], version: str | None = None) -> Facts:
    """Read a BOM, which must be of ``version`` if one is given. Raises InvalidInput."""
    raw = convert(predicate, _Predicate, _WHAT)
    if version is not None and raw.spec_version != version:
        raise InvalidInput(f"must be {version}, as the predicate's type", field="specVersion")
    _known(predicate, _BOM | _BOM_SINCE[raw.spec_version], _WHAT)
    about = (raw.metadata.component,) if raw.metadata.component else ()
    models = [one for one in (*about, *raw.components) if one.type == MODEL]
    cards = [one.model_card for one in models if one.model_card is not None]
    if not cards or not all(card for card in cards):
        raise InvalidInput(f"must have a {MODEL} with a modelCard", field="components")
    for card in cards:
        _known(card, _CARD, "modelCard")
    return Facts(
        result=Outcome.PASSED, made_at=parse_rfc3339(raw.metadata.timestamp, "metadata.timestamp")
    )


def of_version(version: str) -> Callable[[Mapping[str, Any]], Facts]:
    """A reader for BOMs of one version."""
    return lambda predicate: read(predicate, version)


def _known(value: Mapping[str, Any], fields: frozenset[str], where: str) -> None:
    if unknown := sorted(set(value) - fields):
        raise InvalidInput(f"has unknown field {unknown[0][:80]}", field=where)
