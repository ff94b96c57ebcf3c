"""The sets of judges that ship, and the digest that a seat names each of them by."""

from collections.abc import Mapping
from typing import Final

from quorate_consensus.judges.building import READERS, readers
from quorate_consensus.judges.evidence import EvidenceJudge
from quorate_consensus.judges.opinion import Identity
from quorate_consensus.judges.panel import judges_digest
from quorate_consensus.judges.release import Release

_READERS: Final = tuple(READERS)
IN_EACH: Final = 3
"""Readers of one member of several. Each reader then sits with three of five members: as many as
can deny what the fast tier would approve, and more than one that lies can outvote."""

SETS: Final[Mapping[str, tuple[str, ...]]] = {
    "all": _READERS,
    **{
        "-".join(chosen): chosen
        for chosen in (
            tuple(_READERS[(first + step) % len(_READERS)] for step in range(IN_EACH))
            for first in range(len(_READERS))
        )
    },
}
"""Readers by the name of the set; in every set the evidence judge is too, or a member could certify
nothing. ``all`` is for a committee of one. An llm judge belongs to an installation, not to a
release: a member that has one has another digest."""


def identities(release: Release, name: str) -> list[Identity]:
    """Who judges in the set ``name``, by this release."""
    found = [reader.identity for reader in readers(release, SETS[name])]
    return [EvidenceJudge.identity, *found]


def digests(release: Release) -> dict[str, str]:
    """``Seat.judges`` of each set."""
    return {name: f"sha256:{judges_digest(identities(release, name)).hex()}" for name in SETS}
