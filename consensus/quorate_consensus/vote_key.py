"""The member's vote key, and its place in the genesis."""

from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.errors import InvalidInput, SubjectMismatch
from quorate.genesis import Genesis, Member
from quorate.keys import LocalSigner


@dataclass(frozen=True, slots=True)
class VoteKey:
    """The private key, what signs votes with it, and the member whose key the genesis says it is.

    The same key signs the member's TLS authority. The two never mix: a vote is over bytes that
    begin with ``DSSEv1``, a certificate over a DER sequence.
    """

    member: Member
    private: ed25519.Ed25519PrivateKey
    signer: LocalSigner


def load_vote_key(pem: bytes, genesis: Genesis) -> VoteKey:
    """Read a PEM private key.

    Raises InvalidInput unless it is Ed25519, SubjectMismatch if the genesis names no member with
    its public key: such a member could only sign what nobody believes.
    """
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInput(f"is not a PEM private key: {error}", field="vote key") from None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise InvalidInput("must be an Ed25519 key", field="vote key")
    signer = LocalSigner(key)
    for member in genesis.members:
        if member.key == signer.public_key:
            return VoteKey(member, key, signer)
    raise SubjectMismatch(
        f"vote key {signer.public_key.key_id} is no member's of genesis {genesis.digest}",
        fix="mount the key and the genesis that were made together",
    )
