"""k-of-n over independent bundles."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from quorate import limits, names
from quorate.errors import InvalidInput, QuorateError, SignatureError, SubjectMismatch
from quorate.evidence import signatures
from quorate.evidence.intoto.statement import parse_statement
from quorate.evidence.model_signing.bundle import parse_bundle, parse_envelope
from quorate.evidence.model_signing.predicate import PREDICATE_TYPE, Accepted, manifest_of
from quorate.evidence.signatures import Context, SignedBy, SignerSet, distinct, holds_until
from quorate.manifest import Manifest

BUNDLES_MAX = limits.SIGNATURES
"""Bundles looked at for one model."""
AS_USUAL = Accepted()


@dataclass(frozen=True, slots=True)
class SignedModel:
    """A manifest and the signatures over it that count.

    ``counted`` holds the positions of the bundles that show it. ``problems`` says, a line a bundle,
    which bundles did not count and why; the threshold was met without them.
    """

    manifest: Manifest
    signatures: tuple[SignedBy, ...]
    counted: tuple[int, ...] = (0,)
    problems: tuple[str, ...] = ()

    @property
    def signers(self) -> frozenset[str]:
        """Who signed: key ids, and identities with who vouches for them."""
        return frozenset(item.signer for item in self.signatures)

    def holds_until(self, threshold: int) -> datetime | None:
        """When fewer than ``threshold`` signers count any more; None if never."""
        return holds_until(self.signatures, threshold)


def verify_bundle(
    data: bytes,
    signers: SignerSet,
    context: Context | None = None,
    *,
    accepted: Accepted = AS_USUAL,
) -> SignedModel:
    """Verify one bundle, which one of ``signers`` must have signed; the threshold is not looked at.

    Raises SignatureError if none did, InvalidInput or SubjectMismatch if what was signed is not an
    acceptable list of files. ``context`` is needed for certificates and keyless signatures.
    """
    verified = signatures.verify_bundle(parse_bundle(data), signers, names.INTOTO_TYPE, context)
    statement = parse_statement(verified.payload, PREDICATE_TYPE, bytes_max=limits.BUNDLE_BYTES)
    return SignedModel(manifest_of(statement, accepted), verified.signatures)


def read_manifest(data: bytes) -> Manifest:
    """What a bundle says it is about. Unverified: only to fill in or compare, never to trust."""
    payload = parse_envelope(data).payload
    return manifest_of(parse_statement(payload, PREDICATE_TYPE, bytes_max=limits.BUNDLE_BYTES))


def verify_bundles(
    bundles: Sequence[bytes],
    signers: SignerSet,
    context: Context | None = None,
    *,
    accepted: Accepted = AS_USUAL,
) -> SignedModel:
    """Verify that at least ``signers.threshold`` distinct ones signed one and the same manifest.

    A bundle that fails neither counts nor spoils a threshold that others meet: it is reported in
    ``problems``. Raises SignatureError if no manifest has enough signers (naming every problem),
    SubjectMismatch if two different ones have, InvalidInput for too many bundles or an impossible
    threshold.
    """
    signers.check()
    if len(bundles) > BUNDLES_MAX:
        raise InvalidInput(f"must be at most {BUNDLES_MAX}", field="bundles")
    models: dict[str, SignedModel] = {}
    failures: dict[int, QuorateError] = {}
    for index, data in enumerate(bundles):
        try:
            one = verify_bundle(data, signers, context, accepted=accepted)
        except QuorateError as error:
            failures[index] = error
            continue
        digest = one.manifest.digest
        known = models.setdefault(digest, replace(one, signatures=(), counted=()))
        models[digest] = replace(
            known,
            signatures=(*known.signatures, *one.signatures),
            counted=(*known.counted, index),
        )
    if len(bundles) == len(failures) == 1:
        raise failures[0]
    return _chosen(models, failures, signers.threshold)


def _chosen(
    models: dict[str, SignedModel], failures: dict[int, QuorateError], threshold: int
) -> SignedModel:
    people = {digest: len(distinct(model.signatures)) for digest, model in models.items()}
    enough = [model for digest, model in models.items() if people[digest] >= threshold]
    if len(enough) > 1:
        raise SubjectMismatch(f"enough signers signed {len(enough)} different manifests: keep one")
    if enough:
        return replace(enough[0], problems=_problems(models, failures, enough[0].counted))
    most = max(people.values(), default=0)
    # Where all that verify agree, only the others are worth a word.
    agreed = next(iter(models.values())).counted if len(models) == 1 else ()
    problems = _problems(models, failures, agreed)
    because = f" ({'; '.join(problems)})" if problems else ""
    message = f"{most} accepted signers signed the same manifest; {threshold} must{because}"
    raise SignatureError(message, field="bundles")


def _problems(
    models: dict[str, SignedModel], failures: dict[int, QuorateError], counted: tuple[int, ...]
) -> tuple[str, ...]:
    """Why each bundle that is not ``counted`` did not count, in the bundles' order."""
    why = {index: str(error) for index, error in failures.items()}
    for digest, model in models.items():
        why |= dict.fromkeys(model.counted, f"is for manifest {digest}")
    return tuple(f"bundles[{index}]: {why[index]}" for index in sorted(why) if index not in counted)
