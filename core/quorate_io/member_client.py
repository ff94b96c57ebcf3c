"""The client of a member: for sidecar, ``quorate-measure`` and operator.

Every call raises only QuorateError: :class:`MemberRefused` (a kind of Unavailable) if the member
answered an error, Unavailable if it did not answer, EvidenceError or InvalidInput if what it
answered does not prove what it must. ``state`` raises StateDenied if the committee denies the pod.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from quorate import limits, receipt, signed_state
from quorate.canonical import parse
from quorate.consensus.history import EpochUnknown, History
from quorate.errors import (
    EvidenceError,
    InvalidInput,
    QuorateError,
    SubjectMismatch,
    Unavailable,
)
from quorate.manifest import Manifest, check_digest, parse_manifest
from quorate.ports import Clock
from quorate.signed_state import PodState
from quorate_io import member_api
from quorate_io.clock import SystemClock
from quorate_io.member_channel import MemberChannel, MemberRefused, Request
from quorate_io.member_trust import Followed

__all__ = ["MemberClient", "MemberRefused"]

TIMEOUT = 5.0
"""Seconds for a state or a manifest."""
HISTORY_SECONDS = 30.0
"""How old what is known of the epochs may be before members are asked again. A statement of a newer
epoch is a reason to ask at once; a quarantine is heard of within this time though nobody names it.
"""
TIMEOUT_REPORTS = member_api.REPORTS_WAIT + TIMEOUT
TIMEOUT_EVALUATE = 30.0
"""Seconds for an evaluation or a batch; both may wait for a worker."""


class MemberClient:
    """Asks the members at ``urls`` (https://HOST:PORT), the first that answers.

    ``genesis_digest`` is the pinned ``sha256:…``; ``token_file`` is read for every request. Use it
    as an asynchronous context manager, or call :meth:`close`.
    """

    def __init__(
        self,
        urls: Sequence[str],
        genesis_digest: str,
        token_file: Path,
        *,
        clock: Clock | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        if not urls:
            raise InvalidInput("must name a member", field="urls")
        check_digest(genesis_digest, "genesis digest")
        self._clock = clock or SystemClock()
        self._timeout = timeout
        self._followed = Followed(genesis_digest)
        self._channels = [
            MemberChannel(url, self._followed, token_file, self._clock) for url in urls
        ]
        self._learning = asyncio.Lock()
        self._learned_at = float("-inf")

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
        for channel in self._channels:
            await channel.close()

    async def history(self, *, newer: bool = False) -> History:
        """The epochs from the pinned genesis to the newest that a member told of.

        Members are asked again after HISTORY_SECONDS, and at once if ``newer``. What was certified
        stays true: while none of them answers, what is known counts.
        """
        asked_at = asyncio.get_running_loop().time()
        async with self._learning:
            known = self._followed.history
            if known is None:
                known = await self._first_history()
            elif self._learned_at < (asked_at if newer else asked_at - HISTORY_SECONDS):
                # All of them: one that lies could keep the newest back.
                learning = (channel.learn() for channel in self._channels)
                for outcome in await asyncio.gather(*learning, return_exceptions=True):
                    if isinstance(outcome, Exception) and not isinstance(outcome, QuorateError):
                        raise outcome
                known = self._followed.history or known
            else:
                return known
            self._learned_at = asyncio.get_running_loop().time()
            return known

    async def _first_history(self) -> History:
        failure: Exception = Unavailable("no member answered")
        for channel in self._channels:
            try:
                return (await channel.trust()).history
            except (Unavailable, EvidenceError, InvalidInput) as error:
                failure = error
        raise failure

    async def state(self, pod_uid: str) -> PodState:
        """The verified state of the pod that the token is bound to."""
        history = await self.history()
        envelope = await self._get(member_api.STATE_PATH, limits.STATEMENT_BYTES)
        try:
            word = signed_state.read(envelope, history, pod_uid, self._clock.now())
        except EpochUnknown:
            history = await self.history(newer=True)
            word = signed_state.read(envelope, history, pod_uid, self._clock.now())
        return signed_state.agree([word], history)

    async def manifest(self, digest: str) -> Manifest:
        """The manifest of the pod's model, which must have this digest."""
        path = member_api.MANIFEST_PATH + check_digest(digest)
        body = await self._get(path, member_api.MANIFEST_BYTES)
        manifest = parse_manifest(parse(body, bytes_max=member_api.MANIFEST_BYTES, what="manifest"))
        if manifest.digest != digest:
            raise SubjectMismatch(f"the member answered manifest {manifest.digest}, not {digest}")
        return manifest

    async def evaluate(
        self, policy: Mapping[str, Any], model: Mapping[str, Any]
    ) -> member_api.EvaluateAnswer:
        """Have a policy and a model (whole objects) judged. For the operator.

        The certificate is not verified here; whoever relies on it verifies it.
        """
        issued_at = self._clock.now().replace(microsecond=0).isoformat()
        document = {"policy": policy, "model": model, "issuedAt": issued_at}
        body = json.dumps(document).encode("utf-8")
        request = Request(
            "POST",
            member_api.EVALUATE_PATH,
            member_api.EVALUATION_BYTES,
            TIMEOUT_EVALUATE,
            body,
        )
        answer = await self._call(request)
        return member_api.decode(
            answer,
            member_api.EvaluateAnswer,
            bytes_max=member_api.EVALUATION_BYTES,
            what="evaluation",
        )

    async def observe(self, batch: member_api.ObservedBatch) -> member_api.ObservedAnswer:
        """Relay what the API server holds. For the operator.

        MemberRefused with reason ResyncNeeded asks for a new session from the start.
        """
        body = member_api.encode(batch)
        request = Request(
            "POST", member_api.OBSERVED_PATH, member_api.ANSWER_BYTES, TIMEOUT_EVALUATE, body
        )
        answer = await self._call(request)
        return member_api.decode(
            answer,
            member_api.ObservedAnswer,
            bytes_max=member_api.ANSWER_BYTES,
            what="observed answer",
        )

    async def receipt(self, request: bytes) -> bytes:
        """Ask for a receipt with a signed request; the answer is for the caller to verify.

        MemberRefused with reason ReceiptDenied says why there is none.
        """
        path, bytes_max = member_api.RECEIPTS_PATH, receipt.RECEIPT_BYTES
        return await self._call(Request("POST", path, bytes_max, self._timeout, request))

    async def report(self, reports: Sequence[member_api.Report]) -> int:
        """Say what holds now in the pod that the token is bound to; how much the member then holds.

        For the pod's own containers. Saying the same again changes nothing.
        """
        body = member_api.encode(member_api.ReportRequest(reports=tuple(reports)))
        path, bytes_max = member_api.REPORTS_PATH, member_api.ANSWER_BYTES
        answer = await self._call(Request("POST", path, bytes_max, self._timeout, body))
        heard = member_api.decode(
            answer, member_api.ReportHeard, bytes_max=bytes_max, what="report answer"
        )
        return heard.held

    async def reports(self, cursor: str = "") -> member_api.ReportsAnswer:
        """What pods reported after ``cursor``; waits a while if that is nothing.

        For the operator.
        """
        query = ((member_api.CURSOR_PARAMETER, cursor),) if cursor else ()
        request = Request(
            "GET",
            member_api.REPORTS_PATH,
            member_api.REPORTS_BYTES,
            TIMEOUT_REPORTS,
            query=query,
        )
        return member_api.decode(
            await self._call(request),
            member_api.ReportsAnswer,
            bytes_max=member_api.REPORTS_BYTES,
            what="reports",
        )

    async def _get(self, path: str, answer_bytes: int) -> bytes:
        return await self._call(Request("GET", path, answer_bytes, self._timeout))

    async def _call(self, request: Request) -> bytes:
        failure: Exception = Unavailable("no member answered")
        for channel in self._channels:
            try:
                return await channel.call(request)
            except (Unavailable, EvidenceError, InvalidInput) as error:
                failure = error
        raise failure
