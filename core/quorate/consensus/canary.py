"""Canaries: requests whose right answer is known beforehand, asked among all others.

They are committed to in an epoch record before the first is asked and revealed when they count, so
everybody who recomputes a statistic uses the same labels. What is committed to leaves the target
blank (:mod:`.blank`): the asker fills in its own. A canary looks like any other ask; its audience
is nobody's, so its approval authorises nothing.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from quorate import merkle
from quorate.consensus import wire
from quorate.consensus.approval import Subject
from quorate.consensus.blank import BLANK_BYTES
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Verdict
from quorate.errors import InvalidInput, LimitExceeded, SubjectMismatch

PATH_MAX = 20
_Salt = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]


class Canary(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One canary: ``right`` is the verdict an honest, able member gives."""

    salt: _Salt
    right: Verdict
    stratum: wire.Name
    """What kind of content it is: members are compared within a kind, and may be blind in one."""
    tier: Tier
    blank: Annotated[bytes, msgspec.Meta(min_length=1, max_length=BLANK_BYTES)]
    """The request without its target: see :mod:`quorate.consensus.blank`."""

    def subject(self, request: bytes) -> Subject:
        """What votes are about if it was asked as ``request``.

        Nonce and audience are known only to whoever knows the salt, and others for each target: a
        member that was asked by one pod does not know it again from another. Nobody's session key
        has the audience as its digest.
        """
        digest = wire.request_digest(request)
        nonce = hashlib.sha256(b"quorate.dev/canary-nonce/v1\0" + self.salt + digest).digest()
        audience = hashlib.sha256(b"quorate.dev/canary-audience/v1\0" + self.salt + digest).digest()
        return Subject(digest, self.tier, nonce[: wire.NONCE_BYTES], audience)

    @property
    def leaf(self) -> bytes:
        """Its hash in the committed tree."""
        return merkle.leaf_hash(wire.encode(self))


class Revealed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A canary with the proof that it was committed to as number ``index`` of ``size``."""

    canary: Canary
    index: Annotated[int, msgspec.Meta(ge=0, lt=merkle.LEAVES_MAX)]
    size: Annotated[int, msgspec.Meta(ge=1, le=merkle.LEAVES_MAX)]
    path: Annotated[tuple[wire.Digest, ...], msgspec.Meta(max_length=PATH_MAX)]


@dataclass(frozen=True, slots=True)
class Deck:
    """Canaries in the order they are committed to: the unsafe ones, then the safe ones.

    Each kind is asked in the order of its numbers; one that is left out counts as answered rightly.
    """

    canaries: Sequence[Canary]

    def __post_init__(self) -> None:
        if not self.canaries or list(self.canaries) != sorted(
            self.canaries, key=lambda canary: canary.right
        ):
            raise InvalidInput("needs a canary, and the unsafe ones first", field="deck")
        if len(self.canaries) > merkle.LEAVES_MAX:
            raise LimitExceeded(f"has more than {merkle.LEAVES_MAX} canaries", field="deck")
        for values in ({one.blank for one in self.canaries}, {one.salt for one in self.canaries}):
            if len(values) < len(self.canaries):
                # A verdict is sticky, so one mistake would count as many; and a nonce is used once.
                raise InvalidInput("asks the same twice", field="deck")

    @property
    def root(self) -> str:
        """``sha256:<hex>``, as an epoch record commits to it. At least one canary."""
        return f"sha256:{merkle.root_of([canary.leaf for canary in self.canaries]).hex()}"

    def reveal(self, index: int) -> Revealed:
        """Canary ``index`` with its proof."""
        leaves = [canary.leaf for canary in self.canaries]
        path = merkle.path_of(leaves, index)
        return Revealed(self.canaries[index], index, len(leaves), path)


def check_committed(revealed: Revealed, root: str | None) -> None:
    """Raise SubjectMismatch unless ``root`` is a commitment to this canary, at its number."""
    if root is None:
        raise SubjectMismatch("the epoch committed to no canaries")
    try:
        expected = bytes.fromhex(root.removeprefix("sha256:"))
    except ValueError:
        raise InvalidInput("is no digest", field="epoch.canaries") from None
    leaf = revealed.canary.leaf
    if not merkle.includes(expected, leaf, revealed.index, revealed.size, revealed.path):
        raise SubjectMismatch(f"canary {revealed.index} was not committed to")
