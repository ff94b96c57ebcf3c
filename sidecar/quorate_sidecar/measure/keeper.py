"""The model as the sidecar stands by it: measured before it serves, watched while it does."""

import asyncio
import logging

from quorate.alerts import Rule
from quorate.errors import QuorateError, Unavailable
from quorate.policy.runtime import REMEASURE, Remeasure
from quorate.signed_state import PodState
from quorate_io.scanning import Marks, marks_digest, scan_directory
from quorate_sidecar.measure.measuring import check_manifest, measure
from quorate_sidecar.measure.record import Measurement, boot_id, known_change, leave_change, take
from quorate_sidecar.measure.watch import Certified, Findings, ModelWatch
from quorate_sidecar.reporter import Reporter
from quorate_sidecar.settings import Settings
from quorate_sidecar.standing import Standing
from quorate_sidecar.state_keeper import StateSource

LAST_WORD_SECONDS = 5.0
"""How long a container that ends tries to say why."""

log = logging.getLogger(__name__)


class ModelKeeper:
    """Writes what it finds into the standing, and tells the reporter."""

    def __init__(
        self, settings: Settings, source: StateSource, standing: Standing, reporter: Reporter
    ) -> None:
        self._settings = settings
        self._source = source
        self._standing = standing
        self._reporter = reporter
        self._watch: ModelWatch | None = None
        self.measure_seconds = 0.0

    @property
    def hashed_at(self) -> float:
        """Unix time at which the bytes were last found to be the certified ones; 0 before."""
        return self._watch.hashed_at if self._watch else 0.0

    async def run(self) -> None:
        """Measure, let the model start, watch. Raises QuorateError if it must not start."""
        state = self._standing.state
        if state is None:
            raise Unavailable("no signed state")
        marks = await self._measured_before(state)
        if marks is None:
            marks = await self._measure(state)
        self._standing.measured = state.manifest_digest
        if change := known_change(self._settings.work_path):
            # The server may still hold what it loaded then, whatever the files are now.
            self._changed(change)
            return
        self._watch = ModelWatch(
            self._settings.model_path,
            Certified(state.manifest_digest, state.shard_size, self._source.manifest),
            marks,
            self._remeasure,
            Findings(self._changed, self._unsure),
        )
        await self._watch.run()

    async def _measured_before(self, state: PodState) -> Marks | None:
        """The model as this pod's ``quorate-measure`` left it; None if it must be measured."""
        settings = self._settings
        note = take(settings.work_path, settings.pod.uid, boot_id())
        if note is None or note.manifest_digest != state.manifest_digest:
            log.info("measuring the model: this container started anew, or the certificate changed")
            return None
        marks = await self._unchanged_since(note)
        if marks is not None:
            self.measure_seconds = note.seconds
            log.info("quorate-measure found the certified model")
        return marks

    async def _unchanged_since(self, note: Measurement) -> Marks | None:
        try:
            marks = await asyncio.to_thread(scan_directory, self._settings.model_path)
        except QuorateError as error:
            log.warning("measuring the model: %s", error)
            return None
        if marks_digest(marks) == note.marks_digest:
            return marks
        log.warning("measuring the model: its directory is not as quorate-measure left it")
        return None

    async def _measure(self, state: PodState) -> Marks:
        settings = self._settings
        try:
            measured = await asyncio.to_thread(
                measure, settings.model_path, settings.workers, state.shard_size
            )
            await check_manifest(measured.manifest, state.manifest_digest, self._source.manifest)
        except QuorateError as error:
            self._reporter.note(Rule.MODEL_MISMATCH, str(error))
            await self._reporter.deliver(LAST_WORD_SECONDS)
            raise
        self.measure_seconds = measured.seconds
        log.info("the mounted model is the certified one")
        return measured.marks

    def _remeasure(self) -> Remeasure:
        state = self._standing.state
        return state.rules.remeasure if state is not None else REMEASURE

    def _changed(self, text: str) -> None:
        """Deny first, then tell: for good, and also if this container starts again."""
        self._standing.changed = text
        log.error("denying all requests: %s", text)
        self._reporter.note(Rule.MODEL_MISMATCH, text)
        try:
            leave_change(self._settings.work_path, text)
        except OSError as error:
            log.error("a sidecar that starts again will not know: %s", error.strerror)

    def _unsure(self, text: str) -> None:
        if text and not self._standing.unsure:
            log.warning("denying all requests: %s", text)
        self._standing.unsure = text
