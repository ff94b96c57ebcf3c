"""Endorses records of epochs, and takes in those that are certified.

Carries out what core's :mod:`quorate.consensus.chain` decides, one event at a time. The choice is
on disk before the signature leaves, and a certified record is before it counts. Every later epoch
that this process learns of comes through here, whoever told of it.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

from quorate.consensus import chain, succession
from quorate.consensus.chain import Certified, Link, Objection, Opened, Proposed
from quorate.consensus.keys import KeySignatures
from quorate.consensus.succession import CertifiedRecord, Endorsement
from quorate.errors import EvidenceError, QuorateError, Unavailable
from quorate_consensus import doubts
from quorate_consensus.choice_file import Choice, ChoiceFile
from quorate_consensus.doubts import Doubt, Why
from quorate_consensus.epochs import Epochs
from quorate_consensus.relay import Relay
from quorate_consensus.vote_key import VoteKey
from quorate_io.member_api import EpochDeclined, EpochTaken, Proposal, ProposeAnswer

SIGNATURES: Final = KeySignatures()
TEXT_MAX: Final = 4_096
"""Characters of what is said to whom was declined."""

log = logging.getLogger(__name__)


class EpochRefused(EvidenceError):
    """The record does not follow what this member knows, or is not certified."""


class Meter(Protocol):
    """What is counted."""

    def epoch(self, number: int) -> None:
        """The newest epoch that is known."""

    def proposed(self, outcome: str, reason: str) -> None:
        """A record was endorsed, or declined for a reason."""


class Endorsing:
    """One member's part in the chain of epochs. For one event loop."""

    def __init__(
        self,
        identity: VoteKey,
        epochs: Epochs,
        relay: Relay,
        workers: Executor,
        meter: Meter,
        files: ChoiceFile | None = None,
    ) -> None:
        """Take up what was chosen before; without ``files`` it endorses nothing.

        Raises InvalidInput if the choice cannot be read.
        """
        self._identity = identity
        self._epochs = epochs
        self._relay = relay
        self._workers = workers
        self._meter = meter
        self._files = files
        self._kept = files.load() if files is not None else None
        self._link = self._with_choice(Link(identity.seat.name, epochs.head))
        self._writing = asyncio.Lock()
        self._keeping: set[asyncio.Task[None]] = set()
        self._replies: dict[int, asyncio.Future[Endorsement | chain.Declined]] = {}
        self._next_reply = 0
        self._behind: list[Callable[[], None]] = []
        meter.epoch(epochs.head.record.number)
        epochs.on_opened(lambda: meter.epoch(epochs.head.record.number))

    def on_behind(self, told: Callable[[], None]) -> None:
        """Call ``told`` when somebody names an epoch that follows none that is known here."""
        self._behind.append(told)

    async def propose(self, proposal: Proposal) -> ProposeAnswer:
        """Sign the record, or say why not. Whoever stops waiting ends nothing."""
        record = proposal.record
        self._note(record.number)
        answer = await self._endorsed(proposal)
        if isinstance(answer, Endorsement):
            self._meter.proposed("endorsed", "")
            return ProposeAnswer(endorsement=answer)
        reason, error = _reason(answer), answer.error
        self._meter.proposed("declined", reason)
        log.info("epoch %d (%s) declined: %s: %s", record.number, record.change, reason, error)
        where = f"{error.field}: " if error.field else ""
        return ProposeAnswer(
            declined=EpochDeclined(
                reason=reason,
                message=f"{where}{error.message}"[:TEXT_MAX],
                fix=error.fix[:TEXT_MAX],
            )
        )

    async def show(self, certified: CertifiedRecord) -> EpochTaken:
        """Take in a record that anybody shows. Raises EpochRefused, Unavailable.

        Signatures are looked at elsewhere first: who shows nonsense keeps nobody waiting.
        """
        self._note(certified.record.number)
        head = self._epochs.head
        if certified.record.number > head.record.number:
            loop = asyncio.get_running_loop()
            check = partial(succession.verify, head, certified, SIGNATURES)
            try:
                await loop.run_in_executor(self._workers, check)
            except QuorateError as error:
                # Meanwhile it may have become known, or have come to follow.
                if self._epochs.head is head:
                    raise EpochRefused(error.message, field=error.field, fix=error.fix) from error
        self.take(certified)
        return EpochTaken(number=self._epochs.head.record.number)

    def take(self, certified: CertifiedRecord) -> bool:
        """Take in a record at once; False if it was known.

        Raises EpochRefused for one that does not follow or does not verify, and for another one
        than the one that is known as that epoch; Unavailable if it cannot be kept. Then nothing
        has changed.
        """
        number = certified.record.number
        if number <= self._epochs.head.record.number:
            if self._epochs.record(number) != certified.record:
                raise EpochRefused(
                    f"another record is epoch {number} here",
                    fix="compare the members' chains; administrators can recover from the newest",
                )
            return False
        try:
            self._feed(Certified(certified))
        except OSError as error:
            log.error("epoch %d cannot be kept: %s", number, error)
            raise Unavailable(f"epoch {number} cannot be kept: {error.strerror}") from None
        return True

    async def stop(self) -> None:
        """Let the disk have what it was given."""
        while self._keeping:
            await asyncio.wait(self._keeping)

    async def _endorsed(self, proposal: Proposal) -> Endorsement | chain.Declined:
        doubt = await self._doubt(proposal)
        self._next_reply += 1
        reply = self._next_reply
        future: asyncio.Future[Endorsement | chain.Declined]
        future = asyncio.get_running_loop().create_future()
        self._replies[reply] = future
        future.add_done_callback(lambda _: self._replies.pop(reply, None))
        self._feed(Proposed(reply, proposal.record, doubt))
        return await future

    async def _doubt(self, proposal: Proposal) -> Doubt | None:
        """What speaks against the record by the epoch that is in force when this returns."""
        loop = asyncio.get_running_loop()
        while True:
            head = self._epochs.head
            doubt = self._own_doubt(proposal)
            if doubt is None:
                look = partial(doubts.of, proposal, head, self._relay.current)
                doubt = await loop.run_in_executor(self._workers, look)
            # Otherwise a record that came to follow only now would not have been looked at.
            if self._epochs.head is head:
                return doubt

    def _note(self, number: int) -> None:
        if number > self._epochs.head.record.number + 1:
            for told in self._behind:
                told()

    def _own_doubt(self, proposal: Proposal) -> Doubt | None:
        """Whether this member, as it is, can sign anything."""
        if self._files is None:
            return Doubt(
                Why.NO_DIRECTORY,
                "this member keeps no epochs, and would forget what it signed",
                fix="start it with --epochs",
            )
        if self._kept is not None and self._kept.number > proposal.record.number:
            return Doubt(
                Why.CHAIN_LOST,
                f"this member signed a record as epoch {self._kept.number}, and its chain ends "
                f"before: it does not know what it signed as {proposal.record.number}",
                fix="let it learn the epochs between from the other members",
            )
        key_id = self._identity.signer.public_key.key_id
        return doubts.of_identity(self._identity.seat.name, key_id, self._epochs.head)

    def _feed(self, event: chain.Event) -> None:
        """Raises what :meth:`Epochs.extend` raises, with nothing changed, and EpochRefused."""
        link, effects = chain.step(self._link, event, self._identity.signer, SIGNATURES)
        for effect in effects:
            match effect:
                case Opened(_, certified):
                    self._extend(certified)
                case chain.Ignored(error):
                    raise EpochRefused(error.message, field=error.field, fix=error.fix)
        self._link = self._with_choice(link)
        for effect in effects:
            self._carry_out(effect)

    def _extend(self, certified: CertifiedRecord) -> None:
        try:
            self._epochs.extend(certified)
        except QuorateError as error:
            raise EpochRefused(error.message, field=error.field, fix=error.fix) from error

    def _carry_out(self, effect: chain.Effect) -> None:
        match effect:
            case chain.Keep(number, digest):
                task = asyncio.create_task(self._keep(Choice(number, digest)))
                self._keeping.add(task)
                task.add_done_callback(self._keeping.discard)
            case chain.Endorsed(reply, endorsement):
                self._answer(reply, endorsement)
            case chain.Declined(reply):
                self._answer(reply, effect)

    def _answer(self, reply: int, answer: Endorsement | chain.Declined) -> None:
        future = self._replies.get(reply)
        if future is not None and not future.done():
            future.set_result(answer)

    async def _keep(self, choice: Choice) -> None:
        # One after the other: an older choice must never replace a newer one on the disk.
        async with self._writing:
            assert self._files is not None  # noqa: S101 - without them nothing is chosen
            try:
                await asyncio.to_thread(self._files.keep, choice)
            except OSError as error:
                log.error("the choice of epoch %d cannot be kept: %s", choice.number, error)
                self._feed(chain.KeepFailed())
                return
            self._kept = choice
        self._feed(chain.ChoiceKept(choice.digest))

    def _with_choice(self, link: Link) -> Link:
        """A choice made before the start counts as soon as the chain has come to its number."""
        kept = self._kept
        if kept is None or link.chosen is not None or kept.number != link.head.record.number + 1:
            return link
        return replace(link, chosen=kept.digest)


def _reason(declined: chain.Declined) -> str:
    if declined.objection is Objection.DOUBTED and isinstance(declined.error, Doubt):
        return declined.error.why.value
    return declined.objection.value
