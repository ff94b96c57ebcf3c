"""Keeps this pod's receipt: asks for one with a session key of its own, renews it, drops it.

Key and receipt are in this process's memory only. A container that starts again makes a new key, so
whatever was issued to the one before it is worth nothing, and has to measure and ask anew.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate import limits, receipt, shadow
from quorate.audit.records import ReceiptTaken
from quorate.consensus.asker import audience
from quorate.consensus.history import EpochUnknown, History
from quorate.errors import QuorateError, SubjectMismatch, Unavailable
from quorate.keys import LocalSigner
from quorate.receipt import Receipt, RequestStatement
from quorate.telemetry import names
from quorate_sidecar.metrics import Metrics
from quorate_sidecar.standing import Standing

RENEW_SHARE = 0.6
"""Of a receipt's life that passes before the next is asked for."""
LATE_SHARE = 0.8
"""Of its life after which an alert says that it was not renewed: half of what was left then."""
JITTER = 0.1
"""Share of that time by which renewals of many pods drift apart."""
RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0)
"""Waits after the first, second … failure in a row; the last for any further one."""
FIRST_TICK, TICK = 0.2, 1.0
"""Between two looks at whether it is time, before the first receipt and after it."""

log = logging.getLogger(__name__)


class ReceiptSource(Protocol):
    """Who issues receipts: :class:`quorate_io.committee_client.CommitteeClient`."""

    async def history(self, *, newer: bool = False) -> History:
        """The epochs that are known; asked for again if ``newer``. Raises QuorateError."""

    async def receipt(self, request: bytes) -> bytes:
        """The receipt for a signed request, unverified. Raises QuorateError."""


class ReceiptKeeper:
    """Asks in time, and writes what was verified into the standing.

    ``record`` is told of every receipt before it counts, ``report`` why one was not renewed in
    time, or of nothing.
    """

    def __init__(
        self,
        source: ReceiptSource,
        standing: Standing,
        pod_uid: str,
        metrics: Metrics,
        record: Callable[[ReceiptTaken], None],
        report: Callable[[str], None],
    ) -> None:
        self._source = source
        self._standing = standing
        self._pod_uid = pod_uid
        self._metrics = metrics
        self._record = record
        self._report = report
        self._signer = LocalSigner(ed25519.Ed25519PrivateKey.generate())
        self._envelope = b""
        self._failures = 0
        self._ask_at = self._late_at = 0.0
        """By the monotonic clock, like the standing's deadline."""

    @property
    def audience(self) -> bytes:
        """Whom approvals for this pod are for: the digest of its session key."""
        return audience(self._signer.public_key.pem)

    async def run(self) -> None:
        """Keep a receipt for ever."""
        while True:
            await self.look()
            await asyncio.sleep(TICK if self._standing.receipt else FIRST_TICK)

    async def look(self) -> None:
        """Ask if it is time, and say whether it is late."""
        if self._is_due():
            await self.renew()
        self._report(self._lateness())

    async def renew(self) -> None:
        """Ask once. Who does not answer changes nothing: the receipt expires by itself."""
        outcome, standing = "taken", self._standing
        try:
            self._take(*await self._verified())
        except Unavailable as error:
            denied = error.field == "ReceiptDenied"
            outcome, problem = ("denied" if denied else "unanswered"), str(error)
        except QuorateError as error:
            outcome, problem = "invalid", f"the answer is no receipt of this pod: {error}"
        self._metrics.count(names.SIDECAR_RECEIPTS, outcome)
        if outcome == "taken":
            self._failures = 0
            return
        self._failures += 1
        standing.receipt_problem = problem
        standing.receipt_invalid = outcome == "invalid"
        wait = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS)) - 1]
        self._ask_at = standing.monotonic() + wait * _drift()
        log.warning("no receipt (attempt %d): %s", self._failures, problem)

    def prove(self, member: str, ask: bytes) -> bytes:
        """``ask`` to a member under quarantine, proven by what is good there alone. Raises
        Unavailable without a receipt."""
        if self._standing.receipt is None:
            raise Unavailable("the pod has no receipt")
        return shadow.sign(member, ask, self._envelope, self._signer)

    async def _verified(self) -> tuple[Receipt, bytes]:
        """A receipt for this pod, this key and these bytes, and as it came. Raises QuorateError."""
        history = await self._source.history()
        key, measured = self._signer.public_key.pem, self._standing.measured
        # In whole seconds: all members take it for the receipt's own beginning, and sign the same.
        now = self._standing.clock.now().replace(microsecond=0)
        life = timedelta(seconds=limits.RECEIPT_REQUEST_LIFE)
        cluster_id = history.head.cluster_id
        asked = RequestStatement(cluster_id, self._pod_uid, measured, key, now, now + life)
        envelope = await self._source.receipt(receipt.request(asked, self._signer))
        try:
            found = self._checked(envelope, history, measured)
        except EpochUnknown:
            found = self._checked(envelope, await self._source.history(newer=True), measured)
        held = self._standing.receipt
        if held is not None and found.statement.issued_at < held.statement.issued_at:
            raise SubjectMismatch("receipt is older than the one that is held")
        return found, envelope

    def _checked(self, envelope: bytes, history: History, measured: str) -> Receipt:
        return receipt.verify(
            envelope,
            history,
            pod_uid=self._pod_uid,
            session_key=self._signer.public_key.pem,
            manifest_digest=measured,
            now=self._standing.clock.now(),
        )

    def _take(self, found: Receipt, envelope: bytes) -> None:
        self._envelope = envelope
        standing, statement = self._standing, found.statement
        self._record(_taken(found))
        left = (statement.expires_at - standing.clock.now()).total_seconds()
        life = (statement.expires_at - statement.issued_at).total_seconds()
        now = standing.monotonic()
        until = now + left
        # A receipt that ends soon because a certificate does is not asked for without a pause.
        wait = left - life * (1 - RENEW_SHARE * _drift())
        self._ask_at = now + max(wait, RETRY_SECONDS[0])
        self._late_at = until - life * (1 - LATE_SHARE)
        if standing.receipt is None:
            log.info("receipt %s, until %s", found.digest, statement.expires_at)
        standing.take_receipt(found, until)

    def _is_due(self) -> bool:
        standing = self._standing
        # A denied pod gets none, and an unmeasured one has nothing to ask for.
        if standing.denial is not None or not standing.measured or standing.state is None:
            return False
        now = standing.monotonic()
        if now >= self._ask_at:
            return True
        # Policies changed: what was issued under the old ones is replaced, not waited for.
        held = standing.receipt
        changed = held is not None and set(held.policy_digests) != set(
            standing.state.policy_digests
        )
        return changed and not self._failures

    def _lateness(self) -> str:
        """Why the receipt is late; empty if it is not, or the committee denies the pod."""
        standing = self._standing
        held = standing.receipt
        if held is None or standing.denial is not None or standing.monotonic() < self._late_at:
            return ""
        ends = held.statement.expires_at.isoformat(timespec="seconds")
        return f"the receipt that ends at {ends} was not renewed: {standing.receipt_problem}"


def _taken(found: Receipt) -> ReceiptTaken:
    statement = found.statement
    return ReceiptTaken(
        receipt_digest=found.digest,
        node_uid=statement.node_uid,
        image_digests=statement.image_digests,
        manifest_digest=statement.manifest_digest,
        policy_digests=found.policy_digests,
        certificate_ids=tuple(policy.certificate_id for policy in statement.policies),
        expires_at=statement.expires_at.isoformat(timespec="seconds"),
    )


def _drift() -> float:
    return random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
