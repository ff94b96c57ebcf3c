"""Genesis: the cluster's name and its first committee, pinned by digest in every injected pod.

Made once at installation. Whoever knows the digest needs to trust no channel: a genesis document
that hashes to it is the right one, whoever served it.
"""

from typing import Annotated, Any

import msgspec

from quorate.canonical import canonical, digest_of, parse_object
from quorate.errors import InvalidInput, SubjectMismatch
from quorate.keys import PublicKey, load_public_key
from quorate.statements import Identifier, convert

GENESIS_BYTES_MAX = 65_536


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A committee member: its name and the PEM public key its votes verify with."""

    name: Identifier
    public_key: Annotated[str, msgspec.Meta(max_length=4096)]

    @property
    def key(self) -> PublicKey:
        """The vote key. Raises InvalidInput if the PEM text is not an accepted key."""
        return load_public_key(self.public_key)


class Genesis(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """``cluster_id`` and the members, at least one. ``quorum`` members must sign a certificate."""

    cluster_id: Identifier
    members: Annotated[tuple[Member, ...], msgspec.Meta(min_length=1, max_length=16)]

    @property
    def quorum(self) -> int:
        """Approvals a certificate needs. All of them, until a committee's epochs say otherwise."""
        return len(self.members)

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        """The members' vote keys."""
        return tuple(member.key for member in self.members)

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object whose canonical form is hashed."""
        builtins: dict[str, Any] = msgspec.to_builtins(self)
        return builtins

    @property
    def digest(self) -> str:
        """``sha256:<hex>`` of the canonical form."""
        return digest_of(self.document)

    def encode(self) -> bytes:
        """The canonical form."""
        return canonical(self.document)


def parse_genesis(data: bytes, expected_digest: str | None = None) -> Genesis:
    """Read a genesis document.

    Raises InvalidInput if it is malformed, names a member or a key twice, or holds a key that does
    not count; SubjectMismatch if ``expected_digest`` is given and differs.
    """
    document = parse_object(data, bytes_max=GENESIS_BYTES_MAX, what="genesis")
    genesis = convert(document, Genesis, "genesis")
    if len({member.name for member in genesis.members}) != len(genesis.members):
        raise InvalidInput("names a member twice", field="genesis.members")
    if len(set(genesis.keys)) != len(genesis.members):
        raise InvalidInput("lists one key for two members", field="genesis.members")
    if expected_digest is not None and genesis.digest != expected_digest:
        raise SubjectMismatch(
            f"genesis has digest {genesis.digest}, not the pinned {expected_digest}",
            fix="the pod was injected for another installation: recreate it",
        )
    return genesis
