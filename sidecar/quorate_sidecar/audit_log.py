"""The audit log as the proxy sees it: a record is written, or the pod stops serving."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from quorate.audit.records import Body, ReceiptTaken
from quorate.errors import QuorateError
from quorate.telemetry import names
from quorate_sidecar.audit_writer import FLUSH_SECONDS, AuditWriter, flush
from quorate_sidecar.metrics import Metrics
from quorate_sidecar.refusal import Code, Refusal
from quorate_sidecar.standing import Standing, unwritten

WRITABLE = "its root directory must be writable for group 65532, or the pod must set an fsGroup"

log = logging.getLogger(__name__)


class AuditLog:
    """Writes records; what fails is a lapse of the pod until a new file can be begun.

    ``report`` is told why records cannot be written, and of nothing once they can; ``claim`` names
    the PersistentVolumeClaim that the log is on, if it is on one.
    """

    def __init__(
        self,
        writer: AuditWriter,
        standing: Standing,
        metrics: Metrics,
        report: Callable[[str], None] = lambda why: None,
        *,
        claim: str = "",
    ) -> None:
        self._writer = writer
        self._standing = standing
        self._metrics = metrics
        self._report = report
        self._claim = claim
        self._receipt: ReceiptTaken | None = None

    def open(self) -> None:
        """Begin, or begin again after a failure."""
        try:
            self._writer.open()
            if self._receipt is not None:
                self._writer.append(self._receipt)
        except (OSError, QuorateError) as error:
            self._fail(error)
        else:
            self._standing.audit_failure = ""
            self._report("")

    def write(self, body: Body) -> None:
        """Append a record. Raises Refusal if that fails: then nothing may leave."""
        # After a failure the cause stands until a new file was begun.
        if not self._standing.audit_failure:
            try:
                self._writer.append(body)
            except (OSError, QuorateError) as error:
                self._fail(error)
        if self._standing.audit_failure:
            message = unwritten(self._standing.audit_failure)
            raise Refusal(503, Code.AUDIT, message, retry_after=5)
        self._metrics.count(names.SIDECAR_AUDIT_RECORDS, type(body).__name__.lower())

    def take_receipt(self, receipt: ReceiptTaken) -> None:
        """Write which receipt the pod serves with from here on.

        If that fails the pod denies, and the next file that can be begun says it first.
        """
        self._receipt = receipt
        with contextlib.suppress(Refusal):
            self.write(receipt)

    async def run(self) -> None:
        """Bring records to the disk, and after a failure try again, for ever."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            if self._standing.audit_failure:
                self.open()
                continue
            try:
                await asyncio.to_thread(flush, self._writer.unflushed())
            except OSError as error:
                self._writer.close()
                self._fail(error)

    def close(self) -> None:
        """Bring what there is to the disk, and stop."""
        try:
            flush(self._writer.unflushed())
        except OSError as error:
            self._fail(error)
        self._writer.close()

    def _fail(self, error: Exception) -> None:
        self._metrics.count(names.SIDECAR_AUDIT_FAILURES)
        failure = self._words(error)
        self._standing.audit_failure = failure
        self._report(unwritten(failure))
        log.error("audit record not written: %s", failure)

    def _words(self, error: Exception) -> str:
        """What is wrong, with the volume it is wrong with."""
        if not self._claim:
            return str(error)
        words = f"claim {self._claim}: {error}"
        if isinstance(error, PermissionError):
            words += f" ({WRITABLE})"
        return words
