"""in-toto Statement v1: what a predicate is about."""

import re
from typing import Annotated, Any, Final, Literal

import msgspec

from quorate import limits, names
from quorate.canonical import canonical, parse_object
from quorate.errors import InvalidInput, SubjectMismatch
from quorate.manifest import check_digest
from quorate.statements import convert

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One artifact, by name and at least one digest: algorithm to lower-case hex."""

    name: Text
    digest: Annotated[dict[str, str], msgspec.Meta(min_length=1, max_length=8)]


class Statement(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"
):
    """A typed predicate about at least one subject."""

    type_: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: Annotated[tuple[Subject, ...], msgspec.Meta(min_length=1, max_length=limits.SUBJECTS)]
    predicate_type: Text
    predicate: dict[str, Any]

    @property
    def manifests(self) -> frozenset[str]:
        """The model manifests it is about, as ``sha256:<hex>``. Raises SubjectMismatch for none."""
        about = [item for item in self.subject if item.name == names.MANIFEST_SUBJECT]
        if not about:
            raise SubjectMismatch(f"must name {names.MANIFEST_SUBJECT}", field="subject")
        if any("sha256" not in item.digest for item in about):
            raise InvalidInput("must have a sha256 digest", field="subject.digest")
        return frozenset(f"sha256:{item.digest['sha256']}" for item in about)

    def encode(self) -> bytes:
        """The canonical form: the payload of an ``application/vnd.in-toto+json`` envelope."""
        return canonical(msgspec.to_builtins(self))


def parse_statement(
    payload: bytes, predicate_type: str, *, bytes_max: int = limits.EVIDENCE_BYTES
) -> Statement:
    """Read a statement whose predicate has this type.

    Raises SubjectMismatch for another type, since a true statement of another kind proves nothing
    here, and InvalidInput for anything malformed.
    """
    statement = read_statement(payload, bytes_max=bytes_max)
    if statement.predicate_type != predicate_type:
        raise SubjectMismatch(
            f"must be {predicate_type}, not {statement.predicate_type[:80]}", field="predicateType"
        )
    return statement


def read_statement(payload: bytes, *, bytes_max: int = limits.EVIDENCE_BYTES) -> Statement:
    """Read a statement of any predicate type. Raises InvalidInput for anything malformed."""
    document = parse_object(payload, bytes_max=bytes_max, what="in-toto statement")
    statement = convert(document, Statement, "in-toto statement")
    for subject in statement.subject:
        digest = subject.digest.get("sha256", "")
        if "sha256" in subject.digest and not _SHA256.match(digest):
            raise InvalidInput("must be 64 lower-case hex digits", field="subject.digest.sha256")
    return statement


def about_model(manifest_digest: str, predicate_type: str, predicate: dict[str, Any]) -> bytes:
    """The payload to sign for a predicate about the model with this manifest digest."""
    digest = check_digest(manifest_digest, "manifest digest").removeprefix("sha256:")
    return Statement(
        type_=STATEMENT_TYPE,
        subject=(Subject(names.MANIFEST_SUBJECT, {"sha256": digest}),),
        predicate_type=predicate_type,
        predicate=predicate,
    ).encode()
