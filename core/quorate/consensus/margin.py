"""How far a committee is from not deciding: what its thresholds mean, in numbers for people."""

from collections.abc import Collection
from dataclasses import dataclass

from quorate.consensus.epoch import Epoch
from quorate.consensus.thresholds import Tier


@dataclass(frozen=True, slots=True)
class Margin:
    """Of one tier. ``spare`` below 0: nothing of this tier is approved."""

    tier: Tier
    needed: int
    members: int
    down: int
    """Members that may not answer while all others are honest and counted."""
    honest: int
    """Honest approvals behind each one, if as many lie as are tolerated."""
    standing: int
    """Members that answer now and whose vote counts."""

    @property
    def spare(self) -> int:
        """How many more may go before nothing is approved."""
        return self.standing - self.needed


def margins(epoch: Epoch, answering: Collection[str]) -> tuple[Margin, ...]:
    """What is left of each tier while ``answering`` answer. n and q do not follow who is up."""
    thresholds = epoch.record.thresholds
    standing = len(epoch.counted & set(answering))
    return tuple(
        Margin(
            tier=tier,
            needed=thresholds.needed(tier),
            members=thresholds.n,
            down=thresholds.n - thresholds.needed(tier),
            honest=thresholds.needed(tier) - thresholds.r,
            standing=standing,
        )
        for tier in (Tier.FAST, Tier.STRICT)
    )
