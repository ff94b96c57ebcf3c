"""Answers asks: carries out what the member's state machine decides.

Events go in one at a time and effects are carried out before the next, so a verdict is remembered
before anyone else can ask for it. Judges run beside; the disk confirms in groups.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from quorate.consensus import member as core
from quorate.consensus import wire
from quorate.consensus.epoch import Epoch
from quorate.consensus.freeze import Freezes, Target
from quorate.consensus.member import Effect, Event, Judge, Judgement, Member, Persist, Reply
from quorate.consensus.signing import VoteSigner
from quorate.consensus.wire import Signed, Verdict
from quorate.ports import Clock
from quorate_consensus.votes.store import VoteStore
from quorate_consensus.votes.writer import GroupWriter

JUDGE_FAILED = Judgement(Verdict.DENY, wire.SCORE_MAX, (wire.JUDGE_FAILED,))
JUDGE_LATE = Judgement(Verdict.DENY, wire.SCORE_MAX, (wire.JUDGE_LATE,))
NETWORK_MS = 20
"""Of what the asker still waits, kept for the way back and the disk."""

log = logging.getLogger(__name__)


class Panel(Protocol):
    """A member's judges."""

    def at_once(self, request: bytes, left_ms: int) -> Judgement | None:
        """What they say of a request if nobody has to be waited for, else None."""

    async def judge(self, request: bytes, left_ms: int) -> Judgement:
        """What they say of a request, within ``left_ms``."""


class Meter(Protocol):
    """What the voting reports."""

    def voted(self, judgement: Judgement, seconds: float) -> None:
        """A judgement was made, in ``seconds``."""

    def stored(self, seconds: float) -> None:
        """A group of votes was made certain on disk, in ``seconds``."""

    def not_stored(self) -> None:
        """The disk refused a vote: this member says nothing more."""


class Voting:
    """One member's voting in one process. For one event loop."""

    def __init__(
        self,
        member: Member,
        store: VoteStore,
        signer: VoteSigner,
        panel: Panel,
        clock: Clock,
        meter: Meter,
        monotonic: Callable[[], float],
        shadow: Panel | None = None,
    ) -> None:
        """``shadow`` judges in epochs in which the member is under quarantine."""
        self._shadow = shadow or panel
        self._member = member
        self._store = store
        self._signer = signer
        self._panel = panel
        self._clock = clock
        self._meter = meter
        self._monotonic = monotonic
        self._replies: dict[int, asyncio.Future[bytes]] = {}
        self._next_reply = 0
        self._judging: set[asyncio.Task[None]] = set()
        self._writer: GroupWriter | None = None
        self._writing: asyncio.Task[None] | None = None
        self.store_broken = ""
        """Why votes cannot be kept any more; empty while they can."""

    @property
    def epoch(self) -> Epoch:
        """The epoch it votes in."""
        return self._member.epoch

    def start(self) -> None:
        """Begin to write. Raises InvalidInput if the log of this epoch cannot be used."""
        self._write_to(self._store.open_epoch(self._member.epoch.digest))

    def _write_to(self, path: Path) -> None:
        self._writer = GroupWriter(path, self._persisted, self._not_stored, self._meter.stored)
        self._writing = asyncio.create_task(self._writer.write_for_ever())

    def drain(self) -> None:
        """Take no new asks from now on; those under way are answered."""
        self._feed(core.Drain())

    async def stop(self) -> None:
        """Answer what is under way, for as long as the caller waits, and end."""
        self.drain()
        while self._replies:
            await asyncio.wait(list(self._replies.values()))
        await _end(self._writing, self._writer)

    async def ask(self, data: bytes, target: Target) -> bytes:
        """The answer to one ask: a vote or an abstention. Whoever stops waiting ends nothing."""
        self._next_reply += 1
        reply = self._next_reply
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._replies[reply] = future
        future.add_done_callback(lambda _: self._replies.pop(reply, None))
        self._feed(core.Asked(reply, data, target, self._clock.now()))
        return await future

    async def open_epoch(self, epoch: Epoch, delegation: Signed) -> None:
        """Vote in a later epoch from now on. What is under way gets an abstention.

        Raises InvalidInput or OSError if its log cannot be made: then nothing has changed.
        """
        if epoch.record.number <= self.epoch.record.number:
            return
        path = self._store.open_epoch(epoch.digest)
        writing, writer = self._writing, self._writer
        if writer is not None:
            writer.retire()
        # Nothing is awaited until the state machine has moved, too: what it hands over belongs into
        # the log of the epoch that it is in.
        self._write_to(path)
        self._feed(core.EpochOpened(epoch, delegation))
        await _end(writing, writer)

    def freeze(self, freezes: Freezes) -> None:
        """What is frozen from now on."""
        self._feed(core.FreezesKnown(freezes))

    def _feed(self, event: Event) -> None:
        self._member, effects = core.step(self._member, event, self._store, self._signer)
        for effect in effects:
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Judge():
                # By the epoch that the ballot will name, which is the one that the effect is of.
                panel = self._judges()
                if not self._judged_at_once(effect, panel):
                    task = asyncio.create_task(self._judge(effect, panel))
                    self._judging.add(task)
                    task.add_done_callback(self._judging.discard)
            case Persist():
                assert self._writer is not None  # noqa: S101 - start() comes first
                self._writer.append(effect.sequence, self._store.hand_over(effect))
            case Reply(reply, data):
                future = self._replies.get(reply)
                if future is not None and not future.done():
                    future.set_result(data)

    def _judges(self) -> Panel:
        seat = self._member.epoch.seat(self._member.name)
        return self._shadow if seat is not None and seat.quarantined else self._panel

    def _judged_at_once(self, effect: Judge, panel: Panel) -> bool:
        begin = self._monotonic()
        try:
            judgement = panel.at_once(effect.request, _left(effect))
        except Exception:  # whatever goes wrong while judging is a DENY
            log.exception("a judge failed")
            judgement = JUDGE_FAILED
        if judgement is None:
            return False
        self._meter.voted(judgement, self._monotonic() - begin)
        self._feed(core.Judged(effect.epoch, effect.key, judgement))
        return True

    async def _judge(self, effect: Judge, panel: Panel) -> None:
        begin = self._monotonic()
        left_ms = _left(effect)
        try:
            async with asyncio.timeout(left_ms / 1000):
                judgement = await panel.judge(effect.request, left_ms)
        except TimeoutError:
            judgement = JUDGE_LATE
        except Exception:  # whatever goes wrong while judging is a DENY
            log.exception("a judge failed")
            judgement = JUDGE_FAILED
        self._meter.voted(judgement, self._monotonic() - begin)
        self._feed(core.Judged(effect.epoch, effect.key, judgement))

    def _persisted(self, sequence: int) -> None:
        self._feed(core.Persisted(sequence))

    def _not_stored(self, error: OSError) -> None:
        log.error("a vote could not be kept: %s", error)
        self.store_broken = error.strerror or type(error).__name__
        self._meter.not_stored()
        self._feed(core.PersistFailed())


def _left(effect: Judge) -> int:
    """For the judges, in milliseconds."""
    return max(0, effect.left_ms - NETWORK_MS)


async def _end(writing: asyncio.Task[None] | None, writer: GroupWriter | None) -> None:
    if writing is not None and writer is not None:
        writing.cancel()
        await asyncio.wait({writing})
        writer.close()
