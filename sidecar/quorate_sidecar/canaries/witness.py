"""Hears every vote that this sidecar's asks bring: in time, late, on canaries or not."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from quorate.consensus.ask import Heard
from quorate.consensus.equivocation import Equivocation, Watch
from quorate.consensus.wire import Vote

REMEMBERED: Final = 512
"""Ballots remembered of each member: a sidecar has little memory, and liars lie often."""


class Witness:
    """Looks for contradictions within an epoch. ``accuse`` is told of each, with who it is."""

    def __init__(self, accuse: Callable[[str, Equivocation], None]) -> None:
        self._accuse = accuse
        self._epoch = b""
        self._watch = Watch(REMEMBERED)
        self._collecting: dict[bytes, dict[str, Vote]] = {}

    def open_epoch(self, digest: bytes) -> None:
        """Ballots of this epoch count from now on, and no others."""
        if digest != self._epoch:
            self._epoch, self._watch = digest, Watch(REMEMBERED)

    def heard(self, effect: Heard) -> bool:
        """Take in a vote that was verified; whether it is on a canary."""
        vote, ballot = effect.vote, effect.ballot
        if ballot.epoch != self._epoch:
            return False
        collected = self._collecting.get(ballot.nonce)
        if collected is not None:
            collected.setdefault(ballot.member, vote)
        proof = self._watch.saw(vote, ballot)
        if proof is not None:
            self._accuse(ballot.member, proof)
        return collected is not None

    @contextmanager
    def collecting(self, nonce: bytes) -> Iterator[Mapping[str, Vote]]:
        """The votes by member on the ask with this nonce, as they come while the block runs."""
        votes: dict[str, Vote] = {}
        self._collecting[nonce] = votes
        try:
            yield votes
        finally:
            del self._collecting[nonce]
