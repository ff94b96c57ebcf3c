"""A document as evidence: read once, and verified for whoever accepts certain signers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quorate import names
from quorate.canonical import digest_of, parse_object
from quorate.errors import SubjectMismatch
from quorate.evidence import signatures
from quorate.evidence.intoto.facts import Facts
from quorate.evidence.intoto.statement import Statement, read_statement
from quorate.evidence.intoto.types import TYPES
from quorate.evidence.signatures import Context, Signed, SignedBy, SignerSet
from quorate.predicates import PredicateUri


@dataclass(frozen=True, slots=True)
class Document:
    """A statement in an envelope or bundle. Nothing is to be believed before it is verified."""

    data: bytes
    """As it came."""
    signed: Signed
    statement: Statement
    digest: str
    """Digest of the envelope or bundle, as certificates name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What at least one accepted signer signed, and which did."""

    facts: Facts
    predicate: Mapping[str, Any]
    subjects: frozenset[str]
    signatures: tuple[SignedBy, ...]

    @property
    def signers(self) -> frozenset[str]:
        """Who signed: key ids, and identities with who vouches for them."""
        return frozenset(item.signer for item in self.signatures)


def read_document(data: bytes) -> Document:
    """Read an envelope or bundle and the statement in it. Raises InvalidInput."""
    signed = signatures.read(data)
    statement = read_statement(signatures.claimed_payload(signed))
    return Document(data, signed, statement, digest_of(parse_object(data)))


def verify_document(
    document: Document, kind: PredicateUri, signers: SignerSet, context: Context | None = None
) -> Evidence:
    """Verify a document of one type and read what it says.

    Whether that is enough is the policy's question. ``context`` is needed for certificates and
    keyless signatures. Raises SignatureError if fewer than ``signers.threshold`` of them signed,
    SubjectMismatch if it is of another type or not about a model's manifest, InvalidInput if
    malformed or contradicting itself.
    """
    verified = signatures.verify(document.signed, signers, names.INTOTO_TYPE, context)
    statement = document.statement
    if statement.predicate_type != kind:
        raise SubjectMismatch(
            f"must be {kind}, not {statement.predicate_type[:80]}", field="predicateType"
        )
    return Evidence(
        facts=TYPES[kind].read(statement.predicate),
        predicate=statement.predicate,
        subjects=statement.manifests,
        signatures=verified.signatures,
    )
