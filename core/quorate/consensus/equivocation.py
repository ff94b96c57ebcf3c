"""Equivocation: two signed ballots of one member that no honest member signs both of.

The pair is its own proof: whoever verifies both signatures knows, and need not believe who brings
it. An honest member cannot be framed, because it never signs such a pair.
"""

from collections import OrderedDict
from typing import Annotated

import msgspec

from quorate.consensus.epoch import Epoch
from quorate.consensus.signing import Signatures, verify_vote
from quorate.consensus.wire import Ballot, Verdict, Vote
from quorate.errors import SubjectMismatch

REMEMBERED_MAX = 4_096
"""Ballots remembered of each member, by place and by request; the newest."""


class Equivocation(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Two votes of one member in one epoch."""

    votes: Annotated[tuple[Vote, ...], msgspec.Meta(min_length=2, max_length=2)]


def contradicts(one: Ballot, other: Ballot) -> bool:
    """Whether no honest member casts both, in whatever order they are shown.

    One place in its sequence holds one ballot, and after a DENY no APPROVE of the same request
    follows in the same epoch. An APPROVE before a DENY is a verdict that tightened.
    """
    if (one.member, one.epoch) != (other.member, other.epoch) or one == other:
        return False
    place, other_place = (
        (one.incarnation, one.sequence),
        (other.incarnation, other.sequence),
    )
    if place == other_place:
        return True
    if (one.request, one.tier) != (other.request, other.tier):
        return False
    first, second = (one, other) if place < other_place else (other, one)
    return first.verdict is Verdict.DENY and second.verdict is Verdict.APPROVE


def verify(proof: Equivocation, epoch: Epoch, signatures: Signatures) -> str:
    """The name of the member that ``proof`` convicts. Raises if it convicts none."""
    one, _ = verify_vote(proof.votes[0], epoch, signatures)
    other, _ = verify_vote(proof.votes[1], epoch, signatures)
    if not contradicts(one, other):
        raise SubjectMismatch(f"the votes of {one.member} and {other.member} go together")
    return one.member


Seen = tuple[Vote, Ballot]


class Watch:
    """Finds equivocation in the votes one sees in one epoch. Remembers the newest ``remembered`` of
    each member.

    Of a request's denials the earliest is kept and of its approvals the latest: those convict most.
    """

    def __init__(self, remembered: int = REMEMBERED_MAX) -> None:
        self._remembered = remembered
        self._kept: dict[str, OrderedDict[tuple[object, ...], Seen]] = {}

    def saw(self, vote: Vote, ballot: Ballot) -> Equivocation | None:
        """Take in a vote that was verified; the proof, if it contradicts one seen before."""
        kept = self._kept.setdefault(ballot.member, OrderedDict())
        place = (ballot.incarnation, ballot.sequence)
        about = (ballot.request, ballot.tier)
        for key in (place, (*about, Verdict.DENY), (*about, Verdict.APPROVE)):
            seen = kept.get(key)
            if seen is not None and contradicts(ballot, seen[1]):
                return Equivocation((seen[0], vote))
        for key in (place, (*about, ballot.verdict)):
            seen = kept.get(key)
            if seen is None or _convicts_more(ballot, seen[1]):
                kept[key] = (vote, ballot)
            kept.move_to_end(key)
        while len(kept) > self._remembered:
            kept.popitem(last=False)
        return None


def _convicts_more(ballot: Ballot, than: Ballot) -> bool:
    later = (ballot.incarnation, ballot.sequence) > (than.incarnation, than.sequence)
    return later == (ballot.verdict is Verdict.APPROVE)
