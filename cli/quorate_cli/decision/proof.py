"""Whether a record proves what it says: its votes counted against its epoch's thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from quorate.audit.records import Action
from quorate.consensus.ask import Cause
from quorate.consensus.epoch import Change, Epoch, Seat, material_of
from quorate.consensus.thresholds import Tier
from quorate_cli.decision.votes import Said
from quorate_cli.decision.votes import read as read_votes


@dataclass(frozen=True, slots=True)
class Proof:
    """A record weighed. ``epoch`` None: its epoch is not in the chain, or nobody was asked."""

    action: Action
    epoch: Epoch | None
    votes: tuple[Said, ...]
    needed: int
    """Approvals that it took; 0 if nobody was asked."""
    problems: tuple[str, ...]
    """Why it does not prove what it says."""
    since: tuple[str, ...]
    """What became of its voters later."""

    @property
    def approving(self) -> tuple[str, ...]:
        """Members that approved."""
        return tuple(vote.member for vote in self.votes if vote.approves)

    @property
    def denying(self) -> tuple[Said, ...]:
        """Votes against it."""
        return tuple(vote for vote in self.votes if not vote.approves)

    @property
    def hard(self) -> tuple[Said, ...]:
        """Those that rest on a rule."""
        return tuple(vote for vote in self.denying if vote.hard)

    @property
    def was_asked(self) -> bool:
        """Whether members were asked at all."""
        return bool(self.action.nonce)


def weigh(action: Action, chain: Sequence[Epoch]) -> Proof:
    """Verify all of ``action`` that can be. ``chain`` are the epochs, from the pinned one on."""
    by_digest = {epoch.digest_text: epoch for epoch in chain}
    epoch = by_digest.get(action.epoch)
    votes = read_votes(action, by_digest)
    needed = action.needed
    problems: list[str] = []
    if epoch is not None and action.decided_by in set(Tier):
        least = epoch.record.thresholds.needed(Tier(action.decided_by))
        if 0 < needed < least:
            problems.append(f"it says that {needed} approvals were enough; its epoch needs {least}")
        needed = max(needed, least)
    problems += _problems(action, epoch, votes, needed)
    return Proof(action, epoch, votes, needed, tuple(problems), _since(epoch, votes, chain))


def _problems(action: Action, epoch: Epoch | None, votes: Sequence[Said], needed: int) -> list[str]:
    if not action.nonce:
        asked = action.decided_by in set(Tier) or bool(votes)
        return ["it says that members decided, and names no ask"] if asked else []
    if epoch is None:
        return [f"epoch {action.epoch} is not in this chain: no vote of it can be verified"]
    problems = [f"{vote.member or 'a vote'}: {vote.problem}" for vote in votes if vote.problem]
    names = [vote.member for vote in votes]
    if len(set(names)) != len(names):
        problems.append("a member voted twice")
    if len({vote.audience for vote in votes}) > 1:
        problems.append("its votes are for different pods")
    good = sum(vote.approves and bool(vote.verified) for vote in votes)
    if (action.approvals, action.others) != _counts(votes):
        problems.append("it counts other votes than it holds")
    passed = action.decision == "approve" or action.cause == Cause.HARD_DENIAL
    if passed and good < needed:
        problems.append(f"{good} votes for it verify, and {needed} are needed: NOT APPROVED")
    return problems


def _counts(votes: Sequence[Said]) -> tuple[int, int]:
    approvals = sum(vote.approves for vote in votes)
    return approvals, len(votes) - approvals


def _since(epoch: Epoch | None, votes: Sequence[Said], chain: Sequence[Epoch]) -> tuple[str, ...]:
    """Whose key lost its word after this epoch, and when."""
    if epoch is None:
        return ()
    later = [one for one in chain if one.record.number >= epoch.record.number]
    found = []
    for vote in votes:
        seat = epoch.seat(vote.member)
        fates = (_fate(before, after, seat) for before, after in pairwise(later) if seat)
        fate = next(filter(None, fates), "")
        if fate:
            found.append(f"{vote.member} {fate}: what it said here is its word no more")
    return tuple(found)


def _fate(before: Epoch, after: Epoch, seat: Seat) -> str:
    """What ``after`` did to the key of ``seat``; the rule is that of ``history.extend``."""
    key, number = material_of(seat.key), after.record.number
    if any(one.quarantined for one in after.record.seats if material_of(one.key) == key):
        return f"is under quarantine since epoch {number}"
    gone = _holds(before, key) and not _holds(after, key)
    if gone and after.record.change is Change.RECOVERY:
        return f"was taken out by the recovery of epoch {number}"
    return ""


def _holds(epoch: Epoch, key: str) -> bool:
    return any(material_of(seat.key) == key for seat in epoch.record.seats)
