"""SPDX 3 document with the AI and Dataset profiles: an AI bill of materials.

It gives no verdict: it shows that the model and the data it was trained on are documented. There
must be one document that declares both profiles, at least one AI package and one dataset package.
SPDX lets documents carry elements and fields of other profiles; these are ignored.

Source: https://spdx.github.io/spdx-spec/v3.0.1/
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from quorate.errors import InvalidInput
from quorate.evidence.intoto.facts import Facts, Outcome
from quorate.evidence.intoto.timestamps import parse_rfc3339
from quorate.statements import convert

PROFILES: Final = frozenset({"ai", "dataset"})
CONTEXTS: Final = "https://spdx.org/rdf/3."
_WHAT: Final = "SPDX document"
_NAMED: Final = ("ai_AIPackage", "dataset_DatasetPackage")
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]


class _Predicate(msgspec.Struct, frozen=True):
    context: _Id = msgspec.field(name="@context")
    graph: Annotated[tuple[dict[str, Any], ...], msgspec.Meta(min_length=1, max_length=10_000)] = (
        msgspec.field(name="@graph")
    )


class _Creation(msgspec.Struct, frozen=True, rename="camel"):
    created: str
    spec_version: Annotated[str, msgspec.Meta(pattern=r"^3\.[0-9]+(\.[0-9]+)?\Z")]
    created_by: Annotated[tuple[_Id, ...], msgspec.Meta(min_length=1, max_length=64)]


class _Document(msgspec.Struct, frozen=True, rename="camel"):
    spdx_id: _Id
    creation_info: _Id | _Creation
    profile_conformance: Annotated[tuple[str, ...], msgspec.Meta(max_length=32)]


class _Package(msgspec.Struct, frozen=True, rename="camel"):
    spdx_id: _Id
    name: _Id


def read(predicate: Mapping[str, Any]) -> Facts:
    """Read a document. Raises InvalidInput."""
    raw = convert(predicate, _Predicate, _WHAT)
    if not raw.context.startswith(CONTEXTS):
        raise InvalidInput(f"must begin with {CONTEXTS}", field="@context")
    by_type: dict[str, list[dict[str, Any]]] = {}
    for element in raw.graph:
        by_type.setdefault(_type(element), []).append(element)
    documents = by_type.get("SpdxDocument", [])
    if len(documents) != 1:
        raise InvalidInput("must have exactly one SpdxDocument", field="@graph")
    document = convert(documents[0], _Document, "SpdxDocument")
    if missing := sorted(PROFILES - set(document.profile_conformance)):
        raise InvalidInput(f"must declare the profile {missing[0]}", field="profileConformance")
    for kind in _NAMED:
        packages = by_type.get(kind, [])
        if not packages:
            raise InvalidInput(f"must have an element of type {kind}", field="@graph")
        for package in packages:
            convert(package, _Package, kind)
    creation = _creation(document, by_type.get("CreationInfo", []))
    return Facts(
        result=Outcome.PASSED, made_at=parse_rfc3339(creation.created, "creationInfo.created")
    )


def _type(element: dict[str, Any]) -> str:
    kind = element.get("type", element.get("@type"))
    if not isinstance(kind, str):
        raise InvalidInput("must have a type", field="@graph[]")
    return kind


def _creation(document: _Document, known: list[dict[str, Any]]) -> _Creation:
    """Who made the document and when: in place, or by the id of another element."""
    if isinstance(document.creation_info, _Creation):
        return document.creation_info
    found = [one for one in known if one.get("@id") == document.creation_info]
    if len(found) != 1:
        raise InvalidInput("must be the id of one CreationInfo", field="SpdxDocument.creationInfo")
    return convert(found[0], _Creation, "CreationInfo")
