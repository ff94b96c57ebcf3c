"""Actions that wait for people, and what people decided about them. In this process's memory.

An answer is let out as a whole or not at all, so an approval is used up only if everything else in
the same answer may leave too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from quorate.consensus import hold
from quorate.consensus.ask import Decision
from quorate.consensus.hold import Hold, Holds, People, Settled, Standing, Terms
from quorate.ports import Clock
from quorate.risk.route import Voting


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an ask came to, before people are counted in. ``human``: its band needs a person."""

    asked: Decision
    terms: Terms
    human: bool


class HoldTable:
    """The holds of this enforcement point."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._holds = Holds()

    def __len__(self) -> int:
        self._holds = hold.sweep(self._holds, self._clock.now())
        return len(self._holds.by_id)

    def waiting(self) -> str:
        """What people should know of what waits for them; empty if nothing does."""
        self._holds = hold.sweep(self._holds, self._clock.now())
        waits = [one for one in self._holds.by_id.values() if one.standing is Standing.WAITING]
        if not waits:
            return ""
        first = min(waits, key=lambda one: one.expires_at)
        until = first.expires_at.isoformat(timespec="seconds")
        return f"an action waits for people: hold {first.terms.hold_id} until {until}"

    def settle(self, wanted: Sequence[Wanted], voting: Voting) -> tuple[Settled, ...]:
        """What all of an answer's asks come to, in their order.

        If all are approved, the approvals of people among them are used up. Otherwise none is, and
        what must wait for people waits from now on, unless something is denied for good.
        """
        now, life = self._clock.now(), timedelta(seconds=voting.hold_seconds)
        holds, found = self._holds, []
        for one in wanted:
            holds, settled = hold.settle(holds, one.asked, one.terms, now, life, human=one.human)
            found.append(settled)
        decisions = {settled.decision for settled in found}
        if decisions <= {Decision.APPROVE}:
            self._holds = holds
        elif Decision.DENY not in decisions:
            for one, settled in zip(wanted, found, strict=True):
                if settled.decision is Decision.HOLD:
                    self._holds, _ = hold.open_hold(self._holds, one.terms, now, life)
        return tuple(found)

    def decide(self, envelope: bytes, voting: Voting) -> Hold:
        """Take in what people decided. Raises QuorateError, and then nothing has changed."""
        groups = [_people(group.keys, group.needed) for group in voting.approvers]
        self._holds, decided = hold.decide(self._holds, envelope, groups, self._clock.now())
        return decided


@lru_cache(maxsize=64)
def _people(keys: tuple[str, ...], needed: int) -> People:
    return hold.people(keys, needed)
