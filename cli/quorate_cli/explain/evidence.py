"""Evidence: which document shows what, and whose keys signed it. Every signature is verified."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal

from quorate.api.v1alpha1 import AttestedModel
from quorate.api.v1alpha1.signers import Signers
from quorate.canonical import digest_of, parse
from quorate.errors import QuorateError
from quorate.evidence import signatures
from quorate.evidence.intoto import read_document, verify_document
from quorate.evidence.model_signing import parse_bundle, verify_bundle
from quorate.evidence.signatures import Context, SignedBy, SignerSet
from quorate.keys import load_public_key
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.evaluate import SIGNED
from quorate.policy.requirement import Requirement
from quorate_cli.explain.explanation import Document, Evidence, Signer
from quorate_sigstore import OfflineSigstore

SIGNATURE: Final = "signature"
STATEMENT: Final = "statement"
Kind = Literal["signature", "statement"]


def _texts(model: AttestedModel) -> list[tuple[Kind, str, bytes]]:
    """Kind, name and bytes of every document in the model's spec."""
    found: list[tuple[Kind, str, bytes]] = [
        (SIGNATURE, item.name, item.bundle.encode()) for item in model.spec.signatures
    ]
    return found + [(STATEMENT, item.name, item.envelope.encode()) for item in model.spec.evidence]


def named_signers(
    named: Signers | None, accepted: SignerSet | None, signatures: Iterable[SignedBy]
) -> tuple[Signer, ...]:
    """Who signed, with the names a policy gives them."""
    if named is None or accepted is None:
        return ()
    names = {load_public_key(key.public_key).key_id: key.name for key in named.keys}
    names |= {item.mark: item.name for item in accepted.certificates}
    names |= {item.mark: item.name for item in accepted.keyless}
    found = []
    for item in sorted(signatures, key=lambda one: one.signer):
        known = [names[mark] for mark in sorted(item.marks) if mark in names]
        found.append(
            Signer(name=known[0] if known else "", key_id=item.signer, method=item.method.value)
        )
    return tuple(found)


def shown_by(
    policy: CompiledPolicy, requirement: Requirement, model: AttestedModel, now: datetime
) -> tuple[Document, ...]:
    """The documents that show a requirement, and who signed each."""
    context = Context(now, OfflineSigstore())
    kind = SIGNATURE if requirement.name == SIGNED else STATEMENT
    wanted, found = set(requirement.shown_by), []
    for other, name, data in _texts(model):
        if other == kind and (digest := _digest(data)) in wanted:
            wanted.remove(digest)
            found.append(_document(policy, requirement, name, digest, data, context))
    return tuple(found)


def _document(
    policy: CompiledPolicy,
    requirement: Requirement,
    name: str,
    digest: str,
    data: bytes,
    context: Context,
) -> Document:
    if requirement.name == SIGNED:
        named = policy.spec.model.signers
        accepted = policy.signers or SignerSet()
        signed = verify_bundle(data, accepted, context, accepted=policy.accepted)
        return Document(
            name=name, digest=digest, signers=named_signers(named, accepted, signed.signatures)
        )
    gate = next(gate for gate in policy.gates if gate.requirement == requirement.name)
    kind, producers = gate.spec.predicate_type, gate.producers
    result = verify_document(read_document(data), kind, producers, context)
    return Document(
        name=name,
        digest=digest,
        signers=named_signers(gate.spec.producers, producers, result.signatures),
        what=gate.type.title,
        suite=next(iter(sorted(result.facts.suites)), ""),
        finished_at=result.facts.made_at,
    )


def inventory(
    model: AttestedModel, judged: Iterable[tuple[CompiledPolicy, Requirement]]
) -> tuple[Evidence, ...]:
    """Every document of the model, and the requirements it is counted for."""
    counts: dict[tuple[Kind, str], list[str]] = {}
    for policy, requirement in judged:
        kind: Kind = SIGNATURE if requirement.name == SIGNED else STATEMENT
        for digest in requirement.shown_by:
            counts.setdefault((kind, digest), []).append(f"{policy.ref} {requirement.name}")
    return tuple(
        Evidence(
            name=name,
            kind=kind,
            digest=_digest(data),
            counts_for=tuple(counts.get((kind, _digest(data)), ())),
            problem=_problem(kind, data),
        )
        for kind, name, data in _texts(model)
    )


def _digest(data: bytes) -> str:
    """The digest certificates name; empty if the document cannot be read."""
    try:
        return digest_of(parse(data))
    except QuorateError:
        return ""


def _problem(kind: Kind, data: bytes) -> str:
    try:
        parse_bundle(data) if kind == SIGNATURE else signatures.read(data)
    except QuorateError as error:
        return str(error)
    return ""
