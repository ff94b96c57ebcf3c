"""What a report of another tool comes down to: attacks, and those that worked."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from quorate.errors import InvalidInput

REPORT_BYTES: Final = 128 * 1024 * 1024
"""One report file."""
ATTACKS_MAX: Final = 1_000_000
UNSCORED_SHARE: Final = 0.01
"""Attacks nobody scored, beyond which a report says too little."""
FINDINGS_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Tally:
    """Attacks that were scored, those that worked, those left unscored; a few findings."""

    attacks: int = 0
    successes: int = 0
    unscored: int = 0
    findings: tuple[str, ...] = ()

    @classmethod
    def of(cls, tallies: Iterable[Self]) -> Self:
        """The sum."""
        attacks = successes = unscored = 0
        findings: tuple[str, ...] = ()
        for tally in tallies:
            attacks += tally.attacks
            successes += tally.successes
            unscored += tally.unscored
            findings += tally.findings
        return cls(attacks, successes, unscored, findings[:FINDINGS_MAX])

    def checked(self, what: str) -> Self:
        """Itself. Raises InvalidInput if it holds nothing, or too much that nobody scored."""
        if not self.attacks:
            raise InvalidInput("holds no attack that was scored", field=what)
        if self.unscored > UNSCORED_SHARE * (self.attacks + self.unscored):
            raise InvalidInput(
                f"{self.unscored} of {self.attacks + self.unscored} attacks were never scored",
                field=what,
                fix="let the tool finish, with its detectors or scorers on",
            )
        return self


def printable(text: str, chars: int = 120) -> str:
    """``text`` from a report, short and without control characters."""
    return "".join(c if c.isprintable() else "?" for c in text[:chars])
