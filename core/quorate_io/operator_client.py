"""The operator's client: every member by itself, and evaluations by all of them together.

Every call raises only QuorateError, as in :mod:`quorate_io.committee_client`. What a member answers
to the operator decides nothing by itself: certificates prove themselves by their signatures.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from quorate.consensus.history import EpochUnknown, History
from quorate.consensus.succession import CertifiedRecord
from quorate.errors import InvalidInput, QuorateError
from quorate.ports import Clock
from quorate_io import member_api, member_trust
from quorate_io.clock import SystemClock
from quorate_io.evaluation import Counting, Evaluation, unanswered
from quorate_io.member_channel import MemberRefused, Request
from quorate_io.member_channels import MemberChannels

__all__ = ["Evaluation", "MemberLink", "MemberRefused", "OperatorClient"]

TIMEOUT = 5.0
TIMEOUT_REPORTS = member_api.REPORTS_WAIT + TIMEOUT
TIMEOUT_EVALUATE = 30.0
"""Seconds for an evaluation or a batch; both may wait for a worker."""
GRACE_SECONDS = 0.5
"""How long members are heard who cannot decide an evaluation any more."""


class MemberLink:
    """One member, as the operator talks to it. One object for as long as the member has a seat."""

    def __init__(self, name: str, channels: MemberChannels) -> None:
        self.name = name
        self._channels = channels

    async def observe(self, batch: member_api.ObservedBatch) -> member_api.ObservedAnswer:
        """Relay what the API server holds.

        MemberRefused with reason ResyncNeeded asks for a new session from the start.
        """
        path, bytes_max = member_api.OBSERVED_PATH, member_api.ANSWER_BYTES
        body = member_api.encode(batch)
        answer = await self._channels.call(
            self.name, Request("POST", path, bytes_max, TIMEOUT_EVALUATE, body)
        )
        return member_api.decode(
            answer, member_api.ObservedAnswer, bytes_max=bytes_max, what="observed answer"
        )

    async def reports(self, cursor: str = "") -> member_api.ReportsAnswer:
        """What pods reported to this member after ``cursor``; waits a while if that is nothing."""
        query = ((member_api.CURSOR_PARAMETER, cursor),) if cursor else ()
        path, bytes_max = member_api.REPORTS_PATH, member_api.REPORTS_BYTES
        answer = await self._channels.call(
            self.name, Request("GET", path, bytes_max, TIMEOUT_REPORTS, query=query)
        )
        return member_api.decode(
            answer, member_api.ReportsAnswer, bytes_max=bytes_max, what="reports"
        )

    async def evidence(self) -> bytes:
        """What this member keeps against another one, unverified; nothing if it keeps none."""
        path, bytes_max = member_api.EVIDENCE_PATH, member_api.EVIDENCE_ANSWER_BYTES
        answer = await self._channels.call(
            self.name, Request("GET", path, bytes_max, TIMEOUT_EVALUATE)
        )
        found = member_api.decode(
            answer, member_api.EvidenceAnswer, bytes_max=bytes_max, what="evidence answer"
        )
        return found.evidence

    async def propose(self, proposal: member_api.Proposal) -> member_api.ProposeAnswer:
        """Ask for a signature of an epoch record. Whose it is and whether it holds up is unproven.

        A member that does not sign says why.
        """
        body = member_api.EpochsRequest(propose=proposal)
        answer = await self._channels.call(self.name, _epochs(body, TIMEOUT_EVALUATE))
        found = member_api.decode(
            answer,
            member_api.ProposeAnswer,
            bytes_max=member_api.ANSWER_BYTES,
            what="propose answer",
        )
        if (found.endorsement is None) == (found.declined is None):
            raise InvalidInput("must have one of endorsement and declined", field="propose answer")
        return found

    async def show(self, certified: CertifiedRecord) -> int:
        """Show a certified record; returns the number of the newest epoch the member knows then.

        MemberRefused with reason EpochRefused if it does not follow what the member knows.
        """
        body = member_api.EpochsRequest(certified=certified)
        answer = await self._channels.call(self.name, _epochs(body, TIMEOUT))
        return member_api.decode(
            answer, member_api.EpochTaken, bytes_max=member_api.ANSWER_BYTES, what="epoch taken"
        ).number

    async def chain(self, after: int) -> tuple[CertifiedRecord, ...]:
        """What the member knows beyond epoch ``after``, as many records as it tells at once. None
        of it is verified, and it may be none though the member is not so far."""
        query = ((member_api.AFTER_PARAMETER, str(after)),) if after else ()
        path, bytes_max = member_api.GENESIS_PATH, member_api.GENESIS_BYTES
        answer = await self._channels.call(
            self.name, Request("GET", path, bytes_max, TIMEOUT, query=query)
        )
        return member_trust.read(answer).chain


def _epochs(body: member_api.EpochsRequest, timeout: float) -> Request:
    path, bytes_max = member_api.EPOCHS_PATH, member_api.ANSWER_BYTES
    return Request("POST", path, bytes_max, timeout, member_api.encode(body))


class OperatorClient:
    """Asks the members at ``url``: https://HOST[:PORT], where HOST may hold ``{member}``.

    That stands for the name of a seat: at first for those in ``members``, then for those of the
    newest epoch. Without it there is one channel, named like the first of ``members``.
    ``genesis_digest`` is the pinned ``sha256:…``; ``token_file`` is read for every request. Use it
    as an asynchronous context manager, or call :meth:`close`.
    """

    def __init__(
        self,
        url: str,
        members: Sequence[str],
        genesis_digest: str,
        token_file: Path,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._channels = MemberChannels(
            url, members, genesis_digest, token_file, clock or SystemClock()
        )
        self._links: dict[str, MemberLink] = {}

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
        await self._channels.close()

    async def history(self, *, newer: bool = False) -> History:
        """The epochs from the pinned genesis to the newest that a member told of.

        Members are asked again after a while, and at once if ``newer``.
        """
        return await self._channels.history(newer=newer)

    def members(self) -> tuple[MemberLink, ...]:
        """All members of the newest epoch that is followed whose word counts, in its order."""
        names = tuple(self._channels.current())
        self._links = {
            name: self._links.get(name) or MemberLink(name, self._channels) for name in names
        }
        return tuple(self._links.values())

    async def evaluate(
        self, policy: Mapping[str, Any], model: Mapping[str, Any], issued_at: datetime
    ) -> Evaluation:
        """Have a policy and a model (whole objects) judged by all members as of ``issued_at``,
        which is a whole second.

        Ends as soon as a strict quorum has certified or cannot any more. Never raises for what
        members do or do not: then the evaluation says why there is none.
        """
        asked = member_api.EvaluateRequest(
            policy=dict(policy), model=dict(model), issued_at=issued_at
        )
        request = Request(
            "POST",
            member_api.EVALUATE_PATH,
            member_api.EVALUATION_BYTES,
            TIMEOUT_EVALUATE,
            member_api.encode(asked),
        )
        try:
            history = await self.history()
        except QuorateError as error:
            return unanswered(error, issued_at, len(self.members()))
        counting, unknown = Counting(history, issued_at), None
        async with self._channels.ask(request) as poll:
            # When it is lost, who answers soon is still heard: the failure names who does not.
            while (
                answer := await poll.next(None if counting.is_open(poll.waiting) else GRACE_SECONDS)
            ) is not None:
                counting.take(*answer)
                try:
                    found = await self._decided(counting)
                except EpochUnknown as error:
                    unknown = error
                    continue
                if found is not None:
                    return found
        return counting.failed(unknown)

    async def _decided(self, counting: Counting) -> Evaluation | None:
        try:
            return counting.decided(await self.history())
        except EpochUnknown:
            return counting.decided(await self.history(newer=True))
