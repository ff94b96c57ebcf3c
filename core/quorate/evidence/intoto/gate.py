"""A safety gate's verdict as evidence: a signed test result about a model's manifest."""

from dataclasses import dataclass, fields
from datetime import datetime

from quorate import names
from quorate.evidence import signatures
from quorate.evidence.intoto.statement import about_model, parse_statement
from quorate.evidence.intoto.test_result import PREDICATE_TYPE, GateRun, parse_predicate
from quorate.evidence.signatures import Context, SignedBy, SignerSet, holds_until


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult(GateRun):
    """A verified run: also which manifests it speaks of (``sha256:<hex>``) and who signed."""

    subjects: frozenset[str]
    signers: frozenset[str]
    signatures: tuple[SignedBy, ...]
    signed_until: datetime | None
    """When too few of the signatures count any more; None if never."""


def gate_statement(run: GateRun, manifest_digest: str) -> bytes:
    """The payload to sign for ``run`` over the model with this manifest digest."""
    return about_model(manifest_digest, PREDICATE_TYPE, run.predicate)


def verify_gate(
    document: bytes, producers: SignerSet, context: Context | None = None
) -> GateResult:
    """Verify a gate's DSSE envelope or Sigstore bundle and read what it says.

    Whether that is enough (this model, this suite, passed, fresh) is the policy's question.
    ``context`` is needed for certificates and keyless signatures. Raises SignatureError if fewer
    than ``producers.threshold`` distinct producers signed, SubjectMismatch if it is not a test
    result about a manifest, InvalidInput if malformed or contradicting itself.
    """
    signed = signatures.read(document)
    verified = signatures.verify(signed, producers, names.INTOTO_TYPE, context)
    statement = parse_statement(verified.payload, PREDICATE_TYPE)
    run = parse_predicate(statement.predicate)
    return GateResult(
        subjects=statement.manifests,
        signers=verified.signers,
        signatures=verified.signatures,
        signed_until=holds_until(verified.signatures, producers.threshold),
        **{item.name: getattr(run, item.name) for item in fields(run)},
    )
