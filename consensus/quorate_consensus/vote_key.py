"""The member's vote key, and its seat in an epoch."""

from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.consensus.epoch import Epoch, Seat, material_of
from quorate.errors import InvalidInput, SubjectMismatch
from quorate.keys import LocalSigner


@dataclass(frozen=True, slots=True)
class VoteKey:
    """The private key, what signs votes with it, and the seat whose key the epoch says it is.

    The same key signs the member's TLS authority. The two never mix: a vote is over bytes that
    begin with ``DSSEv1``, a certificate over a DER sequence.
    """

    seat: Seat
    private: ed25519.Ed25519PrivateKey
    signer: LocalSigner


def is_seated(pem: bytes, epoch: Epoch) -> bool:
    """Whether ``epoch`` has a member with this key. Raises InvalidInput unless it is one."""
    try:
        load_vote_key(pem, epoch)
    except SubjectMismatch:
        return False
    return True


def load_identity(pem: bytes) -> ed25519.Ed25519PrivateKey:
    """Read a PEM private key, whoever's it is. Raises InvalidInput unless it is Ed25519."""
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInput(f"is not a PEM private key: {error}", field="vote key") from None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise InvalidInput("must be an Ed25519 key", field="vote key")
    return key


def load_vote_key(pem: bytes, epoch: Epoch) -> VoteKey:
    """Read a PEM private key.

    Raises InvalidInput unless it is Ed25519, SubjectMismatch if the epoch names no member with
    its public key: such a member could only sign what nobody believes.
    """
    key = load_identity(pem)
    signer = LocalSigner(key)
    for seat in epoch.record.seats:
        if material_of(seat.key) == signer.public_key.key_id:
            return VoteKey(seat, key, signer)
    raise SubjectMismatch(
        f"vote key {signer.public_key.key_id} is no member's of epoch {epoch.record.number} "
        f"({epoch.digest_text})",
        fix="mount the key and the genesis that were made together",
    )
