"""k-of-n over an image's signatures."""

from collections.abc import Sequence
from dataclasses import dataclass

from quorate import limits, names
from quorate.errors import InvalidInput, QuorateError, SignatureError, SubjectMismatch
from quorate.evidence import signatures
from quorate.evidence.image_signing.detached import Detached
from quorate.evidence.image_signing.payload import simple_signing_digest, statement_digest
from quorate.evidence.image_signing.tagged import is_embedded, parse_embedded
from quorate.evidence.signatures import Context, SignedBy, SignerSet, distinct
from quorate.manifest import check_digest


@dataclass(frozen=True, slots=True)
class ImageSignature:
    """One signature as it was fetched: a bundle, a simple signing payload, or both.

    ``bundle`` alone holds an envelope, or is a layer of cosign's older layout with its content.
    With ``payload`` it holds the payload's signature; without a bundle, ``signature`` is that
    signature, made with a key.
    """

    bundle: bytes = b""
    payload: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class SignedImage:
    """An image by digest and who signed it. ``problems``: what did not count, a line each.

    ``counted`` are the positions of the signatures among those that were found.
    """

    digest: str
    signatures: tuple[SignedBy, ...]
    problems: tuple[str, ...] = ()
    counted: tuple[int, ...] = ()


def verify_image(
    found: Sequence[ImageSignature],
    digest: str,
    signers: SignerSet,
    context: Context | None = None,
) -> SignedImage:
    """Verify that at least ``signers.threshold`` distinct signers signed the image ``digest``.

    A signature that fails neither counts nor spoils a threshold that others meet. Raises
    SignatureError, naming every problem, if too few signed; InvalidInput for too many signatures or
    an impossible threshold.
    """
    check_digest(digest, "image digest")
    signers.check()
    if len(found) > limits.SIGNATURES:
        raise InvalidInput(f"must be at most {limits.SIGNATURES}", field="signatures")
    counted: dict[int, SignedBy] = {}
    problems: list[str] = []
    for index, signature in enumerate(found):
        try:
            counted[index] = _verify(signature, digest, signers, context)
        except QuorateError as error:
            problems.append(f"signatures[{index}]: {error}")
    people = len(distinct(counted.values()))
    if people < signers.threshold:
        because = f" ({'; '.join(problems)})" if problems else ""
        raise SignatureError(
            f"{people} accepted signers signed {digest}; {signers.threshold} must{because}"
        )
    return SignedImage(digest, tuple(counted.values()), tuple(problems), tuple(counted))


def _verify(
    found: ImageSignature, digest: str, signers: SignerSet, context: Context | None
) -> SignedBy:
    if found.bundle and found.signature:
        raise InvalidInput("must have a bundle or a signature, not both", field="signature")
    if not found.bundle:
        return _detached(Detached(found.payload, found.signature), digest, signers, context)
    if not found.payload and is_embedded(found.bundle):
        return _detached(parse_embedded(found.bundle), digest, signers, context)
    bundle = signatures.parse_bundle(found.bundle)
    if found.payload:
        by = signatures.verify_message(bundle, found.payload, signers, context)
        _check(simple_signing_digest(found.payload), digest)
        return by
    verified = signatures.verify_bundle(bundle, signers, names.INTOTO_TYPE, context)
    _check(statement_digest(verified.payload), digest)
    return verified.signatures[0]


def _detached(
    found: Detached, digest: str, signers: SignerSet, context: Context | None
) -> SignedBy:
    by = found.verify(signers, context)
    _check(simple_signing_digest(found.payload), digest)
    return by


def _check(signed: str, digest: str) -> None:
    if signed != digest:
        raise SubjectMismatch(f"is about the image {signed}", field="subject")
