"""A safety gate's verdict as evidence: a signed test result about a model's manifest."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from quorate import names
from quorate.evidence import dsse
from quorate.evidence.intoto.statement import about_model, parse_statement
from quorate.evidence.intoto.test_result import PREDICATE_TYPE, GateRun, parse_predicate
from quorate.keys import PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult(GateRun):
    """A verified run: also which manifests it speaks of (``sha256:<hex>``) and who signed."""

    subjects: frozenset[str]
    signers: frozenset[str]


def gate_statement(run: GateRun, manifest_digest: str) -> bytes:
    """The payload to sign for ``run`` over the model with this manifest digest."""
    return about_model(manifest_digest, PREDICATE_TYPE, run.predicate)


def verify_gate(envelope: bytes, keys: Iterable[PublicKey], threshold: int) -> GateResult:
    """Verify a gate's envelope and read what it says.

    Whether that is enough (this model, this suite, passed, fresh) is the policy's question. Raises
    SignatureError if fewer than ``threshold`` distinct keys signed, SubjectMismatch if it is not a
    test result about a manifest, InvalidInput if malformed or contradicting itself.
    """
    verified = dsse.verify(dsse.parse(envelope), keys, threshold, names.INTOTO_TYPE)
    statement = parse_statement(verified.payload, PREDICATE_TYPE)
    run = parse_predicate(statement.predicate)
    return GateResult(
        subjects=statement.manifests,
        signers=verified.signers,
        **{item.name: getattr(run, item.name) for item in fields(run)},
    )
