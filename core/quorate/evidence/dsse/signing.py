"""Making an envelope."""

from collections.abc import Sequence

from quorate import limits
from quorate.errors import InvalidInput
from quorate.evidence.dsse.envelope import Envelope, Signature, pae
from quorate.ports import Signer


def sign(payload: bytes, payload_type: str, signers: Sequence[Signer]) -> bytes:
    """The JSON form of an envelope over ``payload``, signed by every one of ``signers``.

    Raises InvalidInput for no signer, too many, or one key twice.
    """
    ids = [signer.public_key.key_id for signer in signers]
    if not 1 <= len(ids) <= limits.SIGNATURES or len(set(ids)) != len(ids):
        raise InvalidInput(f"must be 1 to {limits.SIGNATURES} distinct keys", field="signers")
    message = pae(payload_type, payload)
    signatures = (
        Signature(signer.sign(message), key_id) for signer, key_id in zip(signers, ids, strict=True)
    )
    return Envelope(payload_type, payload, tuple(signatures)).encode()
