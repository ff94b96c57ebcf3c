"""Verify a document's signatures by whatever method they were made."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives import serialization

from quorate import limits
from quorate.canonical import parse_object
from quorate.errors import InvalidInput, QuorateError, SignatureError
from quorate.evidence import dsse
from quorate.evidence.signatures.accepted import (
    CertificateSigner,
    KeylessSigner,
    Method,
    SignedBy,
    SignerSet,
    distinct,
)
from quorate.evidence.signatures.bundle import Bundle, parse_bundle
from quorate.evidence.signatures.certificate import Certified, Leaf, read_leaf, verify_chain
from quorate.keys import PublicKey
from quorate.ports import Sigstore


@dataclass(frozen=True, slots=True)
class Context:
    """When to judge, and with what. Without ``sigstore``, keyless and timestamps fail."""

    now: datetime
    sigstore: Sigstore | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """A payload, and the signatures over it that count."""

    payload: bytes
    signatures: tuple[SignedBy, ...]

    @property
    def signers(self) -> frozenset[str]:
        """Who signed: key ids, and identities with who vouches for them."""
        return frozenset(item.signer for item in self.signatures)


Signed = Bundle | dsse.Envelope
"""A signed document as read: an envelope by itself, or in a bundle."""


def read(data: bytes) -> Signed:
    """Read a DSSE envelope or a Sigstore bundle around one. Raises InvalidInput."""
    if "mediaType" not in parse_object(data, what="signed document"):
        return dsse.parse(data)
    bundle = parse_bundle(data)
    _envelope(bundle)
    return bundle


def claimed_payload(signed: Signed) -> bytes:
    """The payload, unverified: only to word a refusal or to fill in, never to trust."""
    return _envelope(signed).payload


def verify(
    signed: Signed, signers: SignerSet, payload_type: str, context: Context | None = None
) -> Verified:
    """Verify an envelope (signed with any number of keys) or a bundle (once, by any method).

    Raises SignatureError unless ``signers.threshold`` distinct signers signed, InvalidInput for
    anything malformed or of another payload type.
    """
    signers.check()
    if isinstance(signed, Bundle):
        verified = verify_bundle(signed, signers, payload_type, context)
    else:
        verified = _verify_envelope(signed, signers, payload_type)
    count = len(distinct(verified.signatures))
    if count < signers.threshold:
        raise SignatureError(
            f"{count} of {signers.size} accepted signers signed; {signers.threshold} must",
            field="signatures",
        )
    return verified


def verify_bundle(
    bundle: Bundle, signers: SignerSet, payload_type: str, context: Context | None
) -> Verified:
    """Verify that one of ``signers`` signed the bundle's envelope; thresholds are the caller's.

    Raises SignatureError if none did, InvalidInput for another payload type.
    """
    envelope = _envelope(bundle)
    if envelope.payload_type != payload_type:
        kind = envelope.payload_type[:80]
        raise InvalidInput(f"must be {payload_type}, not {kind}", field="payloadType")
    message = dsse.pae(envelope.payload_type, envelope.payload)
    return Verified(envelope.payload, (_signed_by(bundle, None, message, signers, context),))


def _envelope(signed: Signed) -> dsse.Envelope:
    envelope = signed.envelope if isinstance(signed, Bundle) else signed
    if envelope is None:
        raise InvalidInput("must have a dsseEnvelope", field="bundle")
    return envelope


def verify_message(
    bundle: Bundle, message: bytes, signers: SignerSet, context: Context | None
) -> SignedBy:
    """Verify that one of ``signers`` signed ``message`` with a bundle that holds no envelope."""
    if bundle.envelope is not None:
        raise InvalidInput("must have a messageSignature", field="bundle")
    if bundle.message_digest not in (b"", hashlib.sha256(message).digest()):
        raise SignatureError("is about another message", field="messageSignature.messageDigest")
    return _signed_by(bundle, message, message, signers, context)


def _verify_envelope(envelope: dsse.Envelope, signers: SignerSet, payload_type: str) -> Verified:
    if not signers.keys:
        raise SignatureError("a bare envelope is signed with keys, and none is accepted")
    verified = dsse.verify(envelope, signers.keys, 1, payload_type)
    return Verified(
        verified.payload, tuple(_key_signed(key_id) for key_id in sorted(verified.signers))
    )


def _key_signed(key_id: str) -> SignedBy:
    return SignedBy(Method.KEY, key_id, frozenset({key_id}))


def _signed_by(
    bundle: Bundle,
    detached: bytes | None,
    message: bytes,
    signers: SignerSet,
    context: Context | None,
) -> SignedBy:
    """Who made the bundle's one signature over ``message``."""
    if bundle.method is Method.KEY:
        return by_key(bundle.signature, message, signers.keys)
    if context is None:
        raise SignatureError(f"cannot judge a {bundle.method} signature without a time")
    leaf = read_leaf(bundle.chain[0])
    if bundle.method is Method.CERTIFICATE:
        return _by_certificate(bundle, leaf, message, signers.certificates, context)
    return _keyless(bundle, leaf, detached, signers, context)


def by_key(signature: bytes, message: bytes, keys: Sequence[PublicKey]) -> SignedBy:
    """Which of ``keys`` made ``signature`` over ``message``. Raises SignatureError if none did."""
    for key in keys:
        try:
            key.verify(signature, message)
        except SignatureError:
            continue
        return _key_signed(key.key_id)
    raise SignatureError(f"none of {len(keys)} accepted keys signed", field="signatures")


def _by_certificate(
    bundle: Bundle,
    leaf: Leaf,
    message: bytes,
    signers: Sequence[CertificateSigner],
    context: Context,
) -> SignedBy:
    pinned = [signer for signer in signers if leaf.carries(signer)]
    if not pinned:
        names = ", ".join([*leaf.alternative_names, *(f"CN={n}" for n in leaf.common_names)])
        raise SignatureError(
            f"the certificate of {names[:200] or 'nobody'!r} is not accepted", field="certificate"
        )
    leaf.public_key.verify(bundle.signature, message)
    failure: QuorateError | None = None
    for signer in pinned:
        try:
            return _certified(bundle, signer, context)
        except QuorateError as error:
            failure = failure or error
    assert failure is not None  # noqa: S101 - there was at least one to try
    raise failure


def _certified(bundle: Bundle, signer: CertificateSigner, context: Context) -> SignedBy:
    signed_at = _timestamp(bundle, signer, context)
    certified: Certified = verify_chain(bundle.chain, signer, signed_at or context.now)
    return SignedBy(
        Method.CERTIFICATE,
        f"{signer.pin} (certified by {certified.authority})",
        certified.marks,
        # A signature seen in time counts for good; without a witness it lasts as its certificate.
        None if signed_at else certified.not_after,
        signed_at,
    )


def _timestamp(bundle: Bundle, signer: CertificateSigner, context: Context) -> datetime | None:
    """When the policy's authority saw the signature, None if the bundle holds no timestamp."""
    if not bundle.timestamps:
        return None
    field = "timestampVerificationData"
    if not signer.timestamp_authority:
        raise SignatureError(
            f"the policy names no timestampAuthority for {signer.name}", field=field
        )
    if context.sigstore is None:
        raise SignatureError("nothing here verifies timestamps", field=field)
    authority = [one.public_bytes(serialization.Encoding.DER) for one in signer.timestamp_authority]
    times = [
        context.sigstore.verify_timestamp(response, bundle.signature, authority)
        for response in bundle.timestamps
    ]
    if max(times) > context.now + timedelta(seconds=limits.CLOCK_SKEW):
        raise SignatureError(f"is from the future: {max(times).isoformat()}", field=field)
    return max(times)


def _keyless(
    bundle: Bundle, leaf: Leaf, detached: bytes | None, signers: SignerSet, context: Context
) -> SignedBy:
    if context.sigstore is None:
        raise SignatureError("nothing here verifies keyless signatures", field="certificate")
    named: list[KeylessSigner] = [
        signer for signer in signers.keyless if leaf.alternative_names == (signer.identity,)
    ]
    if not named:
        names = ", ".join(leaf.alternative_names)[:200]
        raise SignatureError(f"the identity {names!r} is not accepted", field="certificate")
    failure: QuorateError | None = None
    for signer in named:
        try:
            seen = context.sigstore.verify_keyless(
                bundle.raw, detached, signers.trusted_root, signer.identity, signer.issuer
            )
        except QuorateError as error:
            failure = failure or error
            continue
        if seen > context.now + timedelta(seconds=limits.CLOCK_SKEW):
            raise SignatureError(f"was logged in the future: {seen.isoformat()}")
        return SignedBy(
            Method.KEYLESS,
            f"{signer.identity} (by {signer.issuer})",
            frozenset({signer.mark, leaf.public_key.key_id}),
            signed_at=seen,
        )
    assert failure is not None  # noqa: S101 - there was at least one to try
    raise failure
