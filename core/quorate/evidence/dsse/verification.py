"""k-of-n over distinct key material."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from quorate.errors import InvalidInput, LimitExceeded, SignatureError
from quorate.evidence.dsse.envelope import Envelope, Signature, pae
from quorate.keys import PublicKey

KEYS_MAX = 64
"""Keys that may be tried; with limits.SIGNATURES it bounds the work of one hostile envelope."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A payload, and the ids of the keys that signed it: at least the threshold."""

    payload: bytes
    signers: frozenset[str]


def verify(
    envelope: Envelope, keys: Iterable[PublicKey], threshold: int, payload_type: str
) -> Verified:
    """Return the payload if at least ``threshold`` of the distinct ``keys`` signed it.

    Signatures by other keys neither count nor harm. Raises InvalidInput if the threshold cannot be
    meant (below 1, or above the number of distinct keys) or the payload is of another type,
    SignatureError if too few keys signed.
    """
    accepted = distinct_keys(keys, threshold)
    check_type(envelope, payload_type)
    signers = frozenset(signatures_by(envelope, accepted))
    if len(signers) < threshold:
        raise SignatureError(
            f"{len(signers)} of {len(accepted)} accepted keys signed; {threshold} must",
            field="signatures",
        )
    return Verified(envelope.payload, signers)


def signatures_by(envelope: Envelope, keys: Mapping[str, PublicKey]) -> dict[str, bytes]:
    """The signatures that verify with one of ``keys`` (by id), by the id of that key."""
    message = pae(envelope.payload_type, envelope.payload)
    waiting, found = dict(keys), dict[str, bytes]()
    for signature in envelope.signatures:
        signer = _signer(signature, message, waiting)
        if signer:
            found[signer] = signature.sig
            del waiting[signer]
    return found


def check_type(envelope: Envelope, payload_type: str) -> None:
    """Raise InvalidInput if the payload says it is of another type."""
    if envelope.payload_type != payload_type:
        kind = envelope.payload_type[:80]
        raise InvalidInput(f"must be {payload_type}, not {kind}", field="payloadType")


def distinct_keys(keys: Iterable[PublicKey], threshold: int) -> dict[str, PublicKey]:
    """The keys by id, each once. Raises InvalidInput if ``threshold`` of them cannot be meant."""
    distinct = {key.key_id: key for key in keys}
    if len(distinct) > KEYS_MAX:
        raise LimitExceeded(f"more than {KEYS_MAX}", field="keys")
    if not 1 <= threshold <= len(distinct):
        raise InvalidInput(
            f"must be between 1 and the number of distinct keys, {len(distinct)}; is {threshold}",
            field="threshold",
        )
    return distinct


def _signer(signature: Signature, message: bytes, keys: dict[str, PublicKey]) -> str | None:
    hinted = [signature.keyid] if signature.keyid in keys else []
    for key_id in dict.fromkeys([*hinted, *keys]):
        try:
            keys[key_id].verify(signature.sig, message)
        except SignatureError:
            continue
        return key_id
    return None
