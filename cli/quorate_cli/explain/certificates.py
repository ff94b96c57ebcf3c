"""Certificates: verified again here, and who voted for each."""

from datetime import datetime

from quorate import certificate
from quorate.admission.model import KnownModel, certified
from quorate.api.v1alpha1 import AttestedModel
from quorate.canonical import parse_object
from quorate.certificate import Statement
from quorate.consensus.epoch import Epoch, material_of
from quorate.consensus.history import History
from quorate.errors import QuorateError
from quorate.evidence import dsse
from quorate.policy.compiled import CompiledPolicy
from quorate.statements import convert
from quorate_cli.explain.explanation import CertificateLine, Signer


def certificate_line(
    policy: CompiledPolicy,
    model: AttestedModel,
    known: KnownModel | None,
    history: History | None,
    now: datetime,
) -> CertificateLine:
    """The certificate for ``policy``; ``known`` is what admission makes of the model."""
    envelope = _envelope(policy, model)
    if envelope is None:
        return CertificateLine(state="missing", message=f"no certificate for {policy.ref}")
    if history is None or known is None:
        return CertificateLine(state="unverified", message="the committee's keys are not known")
    verdict = certified(known, policy, now)
    try:
        # Its own time: an expired certificate still says who voted for it.
        verified = certificate.verify(envelope, history, _issued_at(envelope, now))
    except QuorateError as error:
        message = verdict.denials[0].message if verdict.denials else str(error)
        return CertificateLine(state="refused", message=message)
    statement = verified.statement
    return CertificateLine(
        state="valid" if verdict.allowed else "refused",
        message=verdict.denials[0].message if verdict.denials else "",
        certificate_id=verified.certificate_id,
        voters=_voters(history.find(statement.epoch), verified.voters),
        issued_at=statement.issued_at,
        expires_at=statement.expires_at,
    )


def _envelope(policy: CompiledPolicy, model: AttestedModel) -> bytes | None:
    for entry in model.status.certificates if model.status else ():
        if (entry.kind, entry.name) == (policy.ref.kind, policy.ref.name):
            return entry.envelope.encode("utf-8")
    return None


def _issued_at(envelope: bytes, now: datetime) -> datetime:
    """When the certificate says it was issued; ``now`` if it cannot be read."""
    try:
        document = parse_object(dsse.parse(envelope).payload, what="certificate")
        return convert(document, Statement, "certificate").issued_at
    except QuorateError:
        return now


def _voters(epoch: Epoch, voters: frozenset[str]) -> tuple[Signer, ...]:
    names = {material_of(seat.key): seat.name for seat in epoch.record.seats}
    return tuple(Signer(name=names.get(key, ""), key_id=key) for key in sorted(voters))
