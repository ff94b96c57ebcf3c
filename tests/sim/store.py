"""What a member keeps: an index over its disk's log, rebuilt at each start."""

from collections.abc import Callable
from dataclasses import dataclass, field

from quorate.consensus.freeze import SignedOrder
from quorate.consensus.member import Judgement, Key, Persist
from quorate.consensus.succession import CertifiedRecord
from quorate.consensus.wire import Verdict
from tests.sim.disk import Disk


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Log entry: a verdict under its key."""

    epoch: bytes
    key: Key
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Choice:
    """Log entry: the one record signed as ``number``."""

    number: int
    digest: str


@dataclass(frozen=True, slots=True)
class Life:
    """Log entry: an incarnation began."""

    incarnation: int


@dataclass(slots=True)
class Store:
    """A :class:`quorate.consensus.member.Kept`. Approvals are found while this process lives and
    sometimes not even then: nothing may depend on them."""

    disk: Disk
    forgets_approvals: bool = False
    _verdicts: dict[tuple[bytes, Key], Judgement] = field(default_factory=dict)
    _denials: int = 0

    def reopen(self) -> None:
        """Read the log again, after a crash."""
        self._verdicts, self._denials = {}, 0
        for entry in self.disk.durable:
            if isinstance(entry, Verdicts):
                self._take_in(entry)

    def _take_in(self, entry: Verdicts) -> None:
        place = (entry.epoch, entry.key)
        if entry.judgement.verdict is Verdict.DENY:
            if place not in self._verdicts:
                self._denials += 1
            self._verdicts[place] = entry.judgement
        elif not self.forgets_approvals and place not in self._verdicts:
            self._verdicts[place] = entry.judgement

    def find(self, epoch: bytes, key: Key) -> Judgement | None:
        """The verdict kept under ``key``."""
        return self._verdicts.get((epoch, key))

    def is_full(self) -> bool:
        """Whether no further denial fits."""
        return self._denials >= self.disk.platter.capacity

    def persist(self, effect: Persist, done: Callable[[bool], None]) -> None:
        """Carry out an effect: found from now on, durable once ``done`` says so."""
        entry = Verdicts(effect.epoch, effect.key, effect.judgement)
        if effect.judgement.verdict is Verdict.APPROVE or not self.is_full():
            self._take_in(entry)
        self.disk.append(entry, done)

    def last_life(self) -> int:
        """The newest incarnation on the log, or 0."""
        return max((e.incarnation for e in self.disk.durable if isinstance(e, Life)), default=0)

    def records(self) -> list[CertifiedRecord]:
        """Certified records on the log, in order."""
        found = (e for e in self.disk.durable if isinstance(e, CertifiedRecord))
        return sorted(found, key=lambda one: one.record.number)

    def choice_for(self, number: int) -> str | None:
        """What was chosen as ``number``."""
        for entry in self.disk.durable:
            if isinstance(entry, Choice) and entry.number == number:
                return entry.digest
        return None

    def orders(self) -> list[SignedOrder]:
        """Freezes on the log."""
        return [entry for entry in self.disk.durable if isinstance(entry, SignedOrder)]
