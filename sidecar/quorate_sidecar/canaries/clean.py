"""The canaries that a member under quarantine answered rightly, one after the other. Pure."""

from dataclasses import dataclass, field

from quorate.consensus.clean_run import NEEDED, CleanRun
from quorate.consensus.detector import Result
from quorate.consensus.wire import Verdict


@dataclass(slots=True)
class Clean:
    """Of one member, in one epoch: the newest of each kind, as many as its return needs."""

    _rows: dict[Verdict, list[Result]] = field(
        default_factory=lambda: {Verdict.DENY: [], Verdict.APPROVE: []}
    )

    def take(self, result: Result, *, clean: bool) -> None:
        """One more canary was asked, with the member's vote if it is ``clean``.

        Whatever is not clean ends the row of its kind; one that is not the next, or another pod's,
        begins one.
        """
        canary = result.revealed.canary
        row = self._rows[canary.right]
        if not clean:
            row.clear()
            return
        for other in self._rows.values():
            if other and other[0].asked_as.principal != result.asked_as.principal:
                other.clear()
        if row and row[-1].revealed.index + 1 != result.revealed.index:
            row.clear()
        row.append(result)
        del row[: -NEEDED[canary.right]]

    def run(self, member: str) -> CleanRun | None:
        """What speaks for ``member``; None if nothing does."""
        results = (*self._rows[Verdict.DENY], *self._rows[Verdict.APPROVE])
        return CleanRun(member, results) if results else None

    def __str__(self) -> str:
        return ", ".join(
            f"{len(row)} of {NEEDED[right]} {'unsafe' if right is Verdict.DENY else 'safe'}"
            for right, row in self._rows.items()
        )
