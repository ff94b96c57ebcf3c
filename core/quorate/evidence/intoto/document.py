"""A document as evidence: an envelope read once, and verified for whoever accepts certain keys."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from quorate import names
from quorate.canonical import digest_of, parse_object
from quorate.errors import SubjectMismatch
from quorate.evidence import dsse
from quorate.evidence.intoto.facts import Facts
from quorate.evidence.intoto.statement import Statement, read_statement
from quorate.evidence.intoto.types import TYPES
from quorate.keys import PublicKey
from quorate.predicates import PredicateUri


@dataclass(frozen=True, slots=True)
class Document:
    """An envelope with a statement in it. Nothing of it is to be believed before it is verified."""

    envelope: dsse.Envelope
    statement: Statement
    digest: str
    """Digest of the envelope, as certificates name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What at least one accepted key signed, and which did."""

    facts: Facts
    predicate: Mapping[str, Any]
    subjects: frozenset[str]
    signers: frozenset[str]


def read_document(data: bytes) -> Document:
    """Read an envelope and the statement in it. Raises InvalidInput."""
    value = parse_object(data, what="DSSE envelope")
    envelope = dsse.from_object(value)
    return Document(envelope, read_statement(envelope.payload), digest_of(value))


def verify_document(
    document: Document, kind: PredicateUri, keys: Iterable[PublicKey], threshold: int = 1
) -> Evidence:
    """Verify a document of one type and read what it says.

    Whether that is enough is the policy's question. Raises SignatureError if fewer than
    ``threshold`` of ``keys`` signed, SubjectMismatch if it is of another type or not about a
    model's manifest, InvalidInput if malformed or contradicting itself.
    """
    verified = dsse.verify(document.envelope, keys, threshold, names.INTOTO_TYPE)
    statement = document.statement
    if statement.predicate_type != kind:
        raise SubjectMismatch(
            f"must be {kind}, not {statement.predicate_type[:80]}", field="predicateType"
        )
    return Evidence(
        facts=TYPES[kind].read(statement.predicate),
        predicate=statement.predicate,
        subjects=statement.manifests,
        signers=verified.signers,
    )
