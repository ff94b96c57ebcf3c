"""``quorate-measure``: runs before the model server and lets it start on certified bytes only."""

import asyncio
import logging

from quorate.alerts import Rule
from quorate.errors import QuorateError, Unavailable
from quorate.signed_state import PodState
from quorate_io.clock import SystemClock
from quorate_io.committee_client import CommitteeClient
from quorate_io.scanning import marks_digest
from quorate_sidecar import termination
from quorate_sidecar.measure.measuring import check_manifest, measure
from quorate_sidecar.measure.record import Measurement, boot_id, forget_change, leave
from quorate_sidecar.reporter import Reporter
from quorate_sidecar.settings import Settings
from quorate_sidecar.standing import Standing
from quorate_sidecar.state_keeper import StateKeeper

REPORT_SECONDS = 5.0
"""How long it tries to tell a member, before it ends with the reason."""

log = logging.getLogger(__name__)


async def run(settings: Settings) -> int:
    """Measure, compare, leave a note. Returns the exit code; the termination log says why."""
    try:
        client = CommitteeClient(
            settings.member_url, settings.members, settings.genesis_digest, settings.token_file
        )
        async with client:
            await _measure(settings, client)
    except QuorateError as error:
        log.error("the model server must not start: %s", error)
        termination.say(settings.termination_log, str(error))
        return 1
    return 0


async def _measure(settings: Settings, client: CommitteeClient) -> None:
    state = await _first_state(settings, client)
    try:
        measured = await asyncio.to_thread(
            measure, settings.model_path, settings.workers, state.shard_size
        )
        found = measured.manifest
        log.info("measured %s in %.1f s", found.digest, measured.seconds)
        await check_manifest(found, state.manifest_digest, client.manifest)
    except QuorateError as error:
        reporter = Reporter(client, SystemClock())
        reporter.note(Rule.MODEL_MISMATCH, str(error))
        await reporter.deliver(REPORT_SECONDS)
        raise
    forget_change(settings.work_path)
    marks = marks_digest(measured.marks)
    note = Measurement(found.digest, settings.pod.uid, boot_id(), measured.seconds, marks)
    leave(settings.work_path, note)
    log.info("the mounted model is the certified one: %d files", found.file_count)


async def _first_state(settings: Settings, client: CommitteeClient) -> PodState:
    """Wait for a state that allows the pod. Raises Unavailable."""
    standing = Standing(SystemClock())
    keeper = StateKeeper(client, standing, settings.pod.uid)
    await keeper.first(settings.wait_seconds)
    if standing.denial is not None:
        raise Unavailable(f"{standing.denial.reason}: {standing.denial.message}")
    if standing.state is None:
        raise Unavailable(
            f"no signed state from {settings.member_url} ({', '.join(settings.members)}) "
            f"within {settings.wait_seconds:.0f} seconds: {keeper.last_error}",
            fix="see the members' Pods in quorate-system; this container is started again",
        )
    return standing.state
