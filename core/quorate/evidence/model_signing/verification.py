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

    ``problems`` says, a line a bundle, which bundles did not count and why; the threshold was met
    without them.
    """

    manifest: Manifest
    signers: frozenset[str]
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
    failures: list[QuorateError] = []
    lines: list[tuple[str, str]] = []
    for index, data in enumerate(bundles):
        try:
            one = verify_bundle(data, keys, ignore_allowed=ignore_allowed)
        except QuorateError as error:
            failures.append(error)
            lines.append(("", f"bundles[{index}]: {error}"))
            continue
        digest = one.manifest.digest
        known = models.setdefault(digest, one)
        models[digest] = replace(known, signers=known.signers | one.signers)
        lines.append((digest, f"bundles[{index}]: is for manifest {digest}"))
    if len(bundles) == len(failures) == 1:
        raise failures[0]
    return _chosen(models, lines, threshold)


def _chosen(
    models: dict[str, SignedModel], lines: list[tuple[str, str]], threshold: int
) -> SignedModel:
    enough = [digest for digest, model in models.items() if len(model.signers) >= threshold]
    if len(enough) > 1:
        raise SubjectMismatch(f"enough keys signed {len(enough)} different manifests: keep one")
    # Without a winner, say of every bundle what it was for, unless all agree.
    chosen = enough or (list(models) if len(models) == 1 else [])
    problems = tuple(line for digest, line in lines if digest not in chosen)
    if not enough:
        most = max((len(model.signers) for model in models.values()), default=0)
        because = f" ({'; '.join(problems)})" if problems else ""
        message = f"{most} accepted keys signed the same manifest; {threshold} must{because}"
        raise SignatureError(message, field="bundles")
    return replace(models[enough[0]], problems=problems)
