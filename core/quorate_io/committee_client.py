"""The client of a committee: for sidecar and ``quorate-measure``.

It asks all members and believes what enough of them say. Every call raises only QuorateError:
MemberRefused (a kind of Unavailable) if the members answered an error, Unavailable if too few
answered, EvidenceError or InvalidInput if what they answered does not prove what it must: NoQuorum
among them, if they do not agree. ``state`` raises StateDenied if the committee denies the pod.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from quorate import limits, receipt, signed_state
from quorate.canonical import parse
from quorate.consensus.epoch import Epoch, material_of
from quorate.consensus.history import EpochUnknown, History
from quorate.errors import QuorateError, SubjectMismatch
from quorate.manifest import Manifest, check_digest, parse_manifest
from quorate.ports import Clock
from quorate.signed_state import PodState, Word
from quorate.vouched import NoQuorum
from quorate_io import member_api, shadow_channel
from quorate_io.ask_channel import AskChannel
from quorate_io.asking import Channel
from quorate_io.clock import SystemClock
from quorate_io.member_api import Failure
from quorate_io.member_channel import MemberRefused, Request
from quorate_io.member_channels import MemberChannels, failure
from quorate_io.polling import Poll, Stragglers

__all__ = ["CommitteeClient", "MemberRefused"]

TIMEOUT = 5.0
"""Seconds for one member's answer."""
TIMEOUT_EVIDENCE = 25.0
"""Of evidence that is recomputed, behind that of others."""
TIMEOUT_FREEZES = member_api.FREEZES_WAIT + TIMEOUT
SHADOW_SUFFIX = "-shadow"
"""A member under quarantine is not ready, and its Service leads to nobody; this one does."""
GRACE_SECONDS = 0.2
"""How long a state that r + 1 members said waits for others: of 2r + 1 nobody who lies can shorten
its life."""


class CommitteeClient:
    """Asks the members at ``url``: https://HOST[:PORT], where HOST may hold ``{member}``.

    That stands for the name of a seat: at first for those in ``members``, then for those of the
    newest epoch. Without it there is one channel, to a committee of one. ``genesis_digest`` is the
    pinned ``sha256:…``; ``token_file`` is read for every request. Use it as an asynchronous context
    manager, or call :meth:`close`.
    """

    def __init__(
        self,
        url: str,
        members: Sequence[str],
        genesis_digest: str,
        token_file: Path,
        *,
        clock: Clock | None = None,
        timeout: float = TIMEOUT,
        shadow_suffix: str = SHADOW_SUFFIX,
    ) -> None:
        """``shadow_suffix``: what a member's name ends in where it is asked in shadow."""
        self._clock = clock or SystemClock()
        self._timeout = timeout
        self._shadow_suffix = shadow_suffix
        self._channels = MemberChannels(url, members, genesis_digest, token_file, self._clock)
        self._late_reports = Stragglers()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._late_reports.close()
        await self._channels.close()

    async def history(self, *, newer: bool = False) -> History:
        """The epochs from the pinned genesis to the newest that a member told of.

        Members are asked again after a while, and at once if ``newer``.
        """
        return await self._channels.history(newer=newer)

    async def state(self, pod_uid: str) -> PodState:
        """What r + 1 members say of the pod that the token is bound to, as soon as they do."""
        history = await self.history()
        r = history.head.record.thresholds.r
        words: list[Word] = []
        failures: dict[str, QuorateError] = {}
        agreed: PodState | None = None
        undecided = NoQuorum("", said=0, needed=r + 1, different=0)
        async with self._ask("GET", member_api.STATE_PATH, limits.STATEMENT_BYTES) as poll:
            while True:
                # Who can only confirm it, or cannot make it enough any more, is not waited for.
                lost = undecided.said + poll.waiting < undecided.needed
                answer = await poll.next(GRACE_SECONDS if agreed or lost else None)
                if answer is None:
                    break
                name, said = answer
                try:
                    words.append(await self._word(name, said, pod_uid))
                    agreed = signed_state.agree(words, self._known(history))
                except NoQuorum as error:
                    undecided, agreed = error, None
                except signed_state.StateDenied:
                    raise
                except QuorateError as error:
                    failures[name] = error
                if agreed is not None and len(words) > 2 * r:
                    break
        if agreed is None:
            raise self._failure(failures, len(words), undecided)
        return agreed

    async def manifest(self, digest: str) -> Manifest:
        """The manifest of the pod's model, which must have this digest, from whom has it."""
        path = member_api.MANIFEST_PATH + check_digest(digest)
        await self.history()
        failures: dict[str, QuorateError] = {}
        # One after the other: it is large, and proves itself.
        names = tuple(self._channels.current())
        for name in names:
            try:
                body = await self._channels.call(
                    name, Request("GET", path, member_api.MANIFEST_BYTES, self._timeout)
                )
                return _manifest(body, digest)
            except QuorateError as error:
                failures[name] = error
        raise failure(failures, 0, len(names))

    async def receipt(self, request: bytes) -> bytes:
        """The receipt for a signed request, as soon as a strict quorum signed it.

        Its signatures are verified; whose it is, is for the caller to compare. MemberRefused with
        reason ReceiptDenied says why there is none.
        """
        thresholds = (await self.history()).head.record.thresholds
        envelopes: dict[str, bytes] = {}
        failures: dict[str, QuorateError] = {}
        disagreement: NoQuorum | None = None
        path = member_api.RECEIPTS_PATH
        async with self._ask("POST", path, receipt.RECEIPT_BYTES, request) as poll:
            while (answer := await poll.next()) is not None:
                name, said = answer
                if isinstance(said, QuorateError):
                    failures[name] = said
                    _check_denied(failures, thresholds.n, thresholds.strict)
                    continue
                envelopes[name] = said
                if len(envelopes) < thresholds.strict:
                    continue
                try:
                    return await self._combined(tuple(envelopes.values()))
                except NoQuorum as error:
                    disagreement = error
        raise self._failure(failures, len(envelopes), disagreement)

    async def report(self, reports: Sequence[member_api.Report]) -> int:
        """Say what holds now in the pod that the token is bound to; how much the members then hold
        at least.

        It is heard if 2r + 1 members heard it, or as many as must sign: r of them may lie, and the
        operator believes what r + 1 tell. Saying the same again changes nothing.
        """
        thresholds = (await self.history()).head.record.thresholds
        needed = min(2 * thresholds.r + 1, thresholds.strict)
        body = member_api.encode(member_api.ReportRequest(reports=tuple(reports)))
        held: list[int] = []
        failures: dict[str, QuorateError] = {}
        request = Request(
            "POST", member_api.REPORTS_PATH, member_api.ANSWER_BYTES, self._timeout, body
        )
        # An older word must not arrive after this one.
        await self._late_reports.close()
        async with self._channels.ask(request, self._late_reports) as poll:
            enough = False
            while (answer := await poll.next(GRACE_SECONDS if enough else None)) is not None:
                name, said = answer
                try:
                    held.append(_held(said))
                except QuorateError as error:
                    failures[name] = error
                enough = len(held) >= needed
        if len(held) < needed:
            raise self._failure(failures, len(held), None)
        return min(held)

    async def accuse(self, evidence: bytes) -> None:
        """Show all members what convicts one of them; r + 1 must keep it, and so one that is
        honest. Raises QuorateError."""
        await self._show(member_api.EVIDENCE_PATH, evidence)

    async def _show(self, path: str, data: bytes) -> None:
        needed = (await self.history()).head.record.thresholds.r + 1
        failures: dict[str, QuorateError] = {}
        kept = 0
        request = Request(
            "POST",
            path,
            member_api.ANSWER_BYTES,
            TIMEOUT_EVIDENCE,
            data,
            content_type=member_api.EVIDENCE_TYPE,
        )
        async with self._channels.ask(request) as poll:
            while (answer := await poll.next()) is not None:
                name, said = answer
                if isinstance(said, QuorateError):
                    failures[name] = said
                else:
                    kept += 1
        if kept < needed:
            raise self._failure(failures, kept, None)

    async def shadow(self, member: str, message: bytes) -> bytes:
        """What ``member``, which is under quarantine, answers in shadow, unverified. It is shown no
        token. Raises Unavailable."""
        url = self._channels.url_of(member + self._shadow_suffix)
        return await shadow_channel.exchange(url, message)

    async def show_run(self, run: bytes) -> None:
        """Show all members what speaks for one under quarantine; r + 1 must keep it. Raises
        QuorateError."""
        await self._show(member_api.CLEAN_RUNS_PATH, run)

    def channels(self, epoch: Epoch) -> Mapping[str, Channel]:
        """The channels for asks to the members of ``epoch`` that can be reached, by seat."""
        seated = self._channels.seated(epoch)
        return {seat: AskChannel(self._channels, name) for seat, name in seated.items()}

    def names(self) -> Collection[str]:
        """The members that can be asked for what is frozen."""
        return self._channels.current().keys()

    async def freezes(self, name: str, cursor: str) -> member_api.FreezesAnswer:
        """What the member ``name`` holds frozen after ``cursor``, unverified; it waits a while if
        that is nothing new. An empty cursor is answered at once, with everything."""
        query = ((member_api.CURSOR_PARAMETER, cursor),) if cursor else ()
        request = Request(
            "GET", member_api.FREEZES_PATH, member_api.FREEZES_BYTES, TIMEOUT_FREEZES, query=query
        )
        return member_api.read_freezes(await self._channels.call(name, request))

    def _ask(
        self, method: str, path: str, answer_bytes: int, body: bytes | None = None
    ) -> Poll[bytes]:
        return self._channels.ask(Request(method, path, answer_bytes, self._timeout, body))

    def _known(self, history: History) -> History:
        """The newest that is known, at least ``history``: it may have grown while members
        answered."""
        return self._channels.known or history

    async def _word(self, name: str, said: bytes | QuorateError, pod_uid: str) -> Word:
        """What the member said, verified, and said by itself. Raises QuorateError."""
        if isinstance(said, QuorateError):
            raise said
        history, now = await self.history(), self._clock.now()
        try:
            word = signed_state.read(said, history, pod_uid, now)
        except EpochUnknown:
            history = await self.history(newer=True)
            word = signed_state.read(said, history, pod_uid, now)
        whose = self._channels.member(name)
        seat = history.head.seat(whose) if whose is not None else None
        if seat is not None and material_of(seat.key) != word.member:
            raise SubjectMismatch(f"{name} answered what another member said")
        return word

    async def _combined(self, envelopes: Sequence[bytes]) -> bytes:
        history = await self.history()
        try:
            return receipt.combine(envelopes, history)
        except EpochUnknown:
            return receipt.combine(envelopes, await self.history(newer=True))

    def _failure(
        self, failures: Mapping[str, QuorateError], answers: int, disagreement: NoQuorum | None
    ) -> QuorateError:
        """What it comes to that there is no quorum: of answers, or of answers alike."""
        asked = len(self._channels.current())
        if disagreement is not None and answers >= disagreement.needed:
            return disagreement
        return failure(failures, answers, asked)


def _manifest(body: bytes, digest: str) -> Manifest:
    manifest = parse_manifest(parse(body, bytes_max=member_api.MANIFEST_BYTES, what="manifest"))
    if manifest.digest != digest:
        raise SubjectMismatch(f"the member answered manifest {manifest.digest}, not {digest}")
    return manifest


def _held(said: bytes | QuorateError) -> int:
    if isinstance(said, QuorateError):
        raise said
    bytes_max = member_api.ANSWER_BYTES
    heard = member_api.decode(
        said, member_api.ReportHeard, bytes_max=bytes_max, what="report answer"
    )
    return heard.held


def _check_denied(failures: Mapping[str, QuorateError], n: int, strict: int) -> None:
    """Raise MemberRefused once so many members deny a receipt that a quorum cannot sign one."""
    denied = [
        error
        for error in failures.values()
        if isinstance(error, MemberRefused) and error.reason == Failure.RECEIPT_DENIED
    ]
    if len(denied) <= n - strict:
        return
    counts = Counter(error.message for error in denied)
    message = max(counts, key=lambda text: (counts[text], text))
    one = next(error for error in denied if error.message == message)
    body = member_api.ErrorBody(
        reason=one.reason,
        message=f"{message} (said by {counts[message]} of {n} members)",
        fix=one.fix,
    )
    raise MemberRefused(one.status, body)
