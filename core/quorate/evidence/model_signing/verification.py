"""k-of-n over independent bundles."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from quorate import limits, names
from quorate.errors import InvalidInput, QuorateError, SignatureError, SubjectMismatch
from quorate.evidence import dsse
from quorate.evidence.dsse.verification import distinct_keys
from quorate.evidence.intoto.statement import parse_statement
from quorate.evidence.model_signing.bundle import parse_bundle
from quorate.evidence.model_signing.predicate import GIT_PATHS, PREDICATE_TYPE, manifest_of
from quorate.keys import PublicKey
from quorate.manifest import Manifest

BUNDLES_MAX = limits.SIGNATURES
"""Bundles looked at for one model."""


@dataclass(frozen=True, slots=True)
class SignedModel:
    """A manifest and the ids of the keys that signed it.

    ``counted`` holds the positions of the bundles that show it. ``problems`` says, a line a bundle,
    which bundles did not count and why; the threshold was met without them.
    """

    manifest: Manifest
    signers: frozenset[str]
    counted: tuple[int, ...] = (0,)
    problems: tuple[str, ...] = ()


def verify_bundle(
    data: bytes, keys: Sequence[PublicKey], *, ignore_allowed: tuple[str, ...] = GIT_PATHS
) -> SignedModel:
    """Verify one bundle, which one of ``keys`` must have signed.

    Raises SignatureError if none did, InvalidInput or SubjectMismatch if what was signed is not an
    acceptable list of files. See :func:`manifest_of` for ``ignore_allowed``.
    """
    verified = dsse.verify(parse_bundle(data), keys, 1, names.INTOTO_TYPE)
    statement = parse_statement(verified.payload, PREDICATE_TYPE)
    return SignedModel(manifest_of(statement, ignore_allowed), verified.signers)


def verify_bundles(
    bundles: Sequence[bytes],
    keys: Sequence[PublicKey],
    threshold: int,
    *,
    ignore_allowed: tuple[str, ...] = GIT_PATHS,
) -> SignedModel:
    """Verify that at least ``threshold`` distinct ``keys`` signed one and the same manifest.

    A bundle that fails neither counts nor spoils a threshold that others meet: it is reported in
    ``problems``. Raises SignatureError if no manifest has enough signers (naming every problem),
    SubjectMismatch if two different ones have, InvalidInput for too many bundles or an impossible
    threshold.
    """
    distinct_keys(keys, threshold)
    if len(bundles) > BUNDLES_MAX:
        raise InvalidInput(f"must be at most {BUNDLES_MAX}", field="bundles")
    models: dict[str, SignedModel] = {}
    failures: dict[int, QuorateError] = {}
    for index, data in enumerate(bundles):
        try:
            one = verify_bundle(data, keys, ignore_allowed=ignore_allowed)
        except QuorateError as error:
            failures[index] = error
            continue
        digest = one.manifest.digest
        known = models.setdefault(digest, replace(one, counted=()))
        models[digest] = replace(
            known, signers=known.signers | one.signers, counted=(*known.counted, index)
        )
    if len(bundles) == len(failures) == 1:
        raise failures[0]
    return _chosen(models, failures, threshold)


def _chosen(
    models: dict[str, SignedModel], failures: dict[int, QuorateError], threshold: int
) -> SignedModel:
    enough = [model for model in models.values() if len(model.signers) >= threshold]
    if len(enough) > 1:
        raise SubjectMismatch(f"enough keys signed {len(enough)} different manifests: keep one")
    if enough:
        return replace(enough[0], problems=_problems(models, failures, enough[0].counted))
    most = max((len(model.signers) for model in models.values()), default=0)
    # Where all that verify agree, only the others are worth a word.
    agreed = next(iter(models.values())).counted if len(models) == 1 else ()
    problems = _problems(models, failures, agreed)
    because = f" ({'; '.join(problems)})" if problems else ""
    message = f"{most} accepted keys signed the same manifest; {threshold} must{because}"
    raise SignatureError(message, field="bundles")


def _problems(
    models: dict[str, SignedModel], failures: dict[int, QuorateError], counted: tuple[int, ...]
) -> tuple[str, ...]:
    """Why each bundle that is not ``counted`` did not count, in the bundles' order."""
    why = {index: str(error) for index, error in failures.items()}
    for digest, model in models.items():
        why |= dict.fromkeys(model.counted, f"is for manifest {digest}")
    return tuple(f"bundles[{index}]: {why[index]}" for index in sorted(why) if index not in counted)
