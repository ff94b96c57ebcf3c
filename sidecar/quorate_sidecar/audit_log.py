"""The audit log as the proxy sees it: a record is written, or the pod stops serving."""

import asyncio
import logging
from collections.abc import Callable

from quorate.audit.records import Body
from quorate.errors import QuorateError
from quorate.telemetry import names
from quorate_sidecar.audit_writer import FLUSH_SECONDS, AuditWriter, flush
from quorate_sidecar.metrics import Metrics
from quorate_sidecar.refusal import Code, Refusal
from quorate_sidecar.standing import Standing

log = logging.getLogger(__name__)


class AuditLog:
    """Writes records; what fails is a lapse of the pod until a new file can be begun.

    ``report`` is told why records cannot be written, and of nothing once they can.
    """

    def __init__(
        self,
        writer: AuditWriter,
        standing: Standing,
        metrics: Metrics,
        report: Callable[[str], None] = lambda why: None,
    ) -> None:
        self._writer = writer
        self._standing = standing
        self._metrics = metrics
        self._report = report

    def open(self) -> None:
        """Begin, or begin again after a failure."""
        try:
            self._writer.open()
        except (OSError, QuorateError) as error:
            self._fail(error)
        else:
            self._standing.audit_failure = ""
            self._report("")

    def write(self, body: Body) -> None:
        """Append a record. Raises Refusal if that fails: then nothing may leave."""
        try:
            self._writer.append(body)
        except (OSError, QuorateError) as error:
            self._fail(error)
            raise Refusal(
                503, Code.AUDIT, "no audit record can be written", retry_after=5
            ) from None
        self._metrics.count(names.SIDECAR_AUDIT_RECORDS, type(body).__name__.lower())

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
        self._standing.audit_failure = str(error)
        self._report(f"no audit record can be written: {error}")
        log.error("audit record not written: %s", error)
