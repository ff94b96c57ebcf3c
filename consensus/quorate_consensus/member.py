"""One member, put together from its settings, and served until it is told to stop."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from quorate.consensus.epoch import material_of
from quorate.errors import InvalidInput, Unavailable
from quorate.genesis import GENESIS_BYTES_MAX, parse_genesis
from quorate.ports import Clock
from quorate_consensus import chain_peers
from quorate_consensus.accusations import Accusations
from quorate_consensus.auth import Authenticator
from quorate_consensus.chain_setup import Following
from quorate_consensus.clean_runs import CleanRuns
from quorate_consensus.collected import Collected
from quorate_consensus.epochs import ChainFiles, Epochs
from quorate_consensus.failed_gate_files import FailedGateFiles
from quorate_consensus.failed_gates import FailedGates
from quorate_consensus.issuing import Committee
from quorate_consensus.judging import Judge
from quorate_consensus.leaf import MemberCertificate
from quorate_consensus.listening import listening
from quorate_consensus.metrics import Metrics
from quorate_consensus.receipt_service import Receipts
from quorate_consensus.relay import Relay
from quorate_consensus.reports import Reports
from quorate_consensus.server import MemberServer, Parts
from quorate_consensus.settings import Settings
from quorate_consensus.small_file import KEY_FILE_BYTES, read_file
from quorate_consensus.state_service import States
from quorate_consensus.vote_key import VoteKey, is_seated, load_vote_key
from quorate_consensus.voting_setup import Deciding, Known
from quorate_sigstore import OfflineSigstore

RELOAD_SECONDS = 10.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Serving:
    """A member that serves, for its health."""

    leaf: MemberCertificate
    clock: Clock
    committee: Committee
    key: Path
    """Where its private key is."""

    async def until_rekeyed(self) -> None:
        """Return once its seat names another key and that is there: a new process takes it up."""
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            if self._is_rekeyed():
                return

    def _is_rekeyed(self) -> bool:
        head, own = self.committee.epochs.head, self.committee.signer.public_key.key_id
        if any(material_of(seat.key) == own for seat in head.record.seats):
            return False
        try:
            return is_seated(read_file(self.key, KEY_FILE_BYTES), head)
        except InvalidInput as error:
            log.warning("the key cannot be read: %s", error)
            return False

    def not_ready(self) -> list[str]:
        """Reasons why no client can be served.

        That the operator was not heard yet is none: it reaches the member through the Service,
        which leads to ready members only.
        """
        found = []
        if self.clock.now() >= self.leaf.not_after:
            found.append(f"the TLS certificate expired at {self.leaf.not_after.isoformat()}")
        try:
            self.committee.signing_epoch()
        except Unavailable as error:
            found.append(str(error))
        return found


@contextlib.asynccontextmanager
async def running(settings: Settings, clock: Clock, metrics: Metrics) -> AsyncIterator[Serving]:
    """Serve while the block runs.

    Raises QuorateError before it listens if a file cannot be used, or the vote key is no member's
    of the epoch in force. A background task that fails ends the block.
    """
    epochs, vote_key = await _seated(settings)
    authenticator = Authenticator(settings.token_keys, settings.issuer, clock)
    life = timedelta(seconds=settings.leaf_life)
    name, key = vote_key.seat.name, vote_key.private
    leaf = MemberCertificate(name, key, settings.tls_names, clock, life)
    with (
        ThreadPoolExecutor(settings.workers, thread_name_prefix="judge") as judges,
        # Of its own, so that no queue of judgements delays what the operator has to say.
        ThreadPoolExecutor(1, thread_name_prefix="read") as readers,
        # Nor does what a pod shows of other members.
        ThreadPoolExecutor(1, thread_name_prefix="evidence") as recomputing,
    ):
        committee = Committee(
            epochs,
            vote_key.signer,
            settings.certificate_life,
            settings.state_life,
            OfflineSigstore(),
            settings.receipt_life,
        )
        relay, collected = Relay(), Collected(epochs, metrics)
        failed_gates = _failed_gates(settings.failed_gates)
        judge = Judge(committee, clock, judges, metrics, time.thread_time, failed_gates)
        known = Known(epochs, vote_key, relay, clock, committee.sigstore, failed_gates)
        deciding = Deciding(settings, known, metrics.voting)
        following = Following(settings, known, metrics)
        parts = Parts(
            epochs=epochs,
            authority_pem=leaf.authority_pem,
            authenticator=authenticator,
            relay=relay,
            judge=judge,
            collected=collected,
            states=States(committee, relay, judge, collected, clock),
            receipts=Receipts(committee, relay, judge, collected, clock, metrics),
            reports=Reports(),
            asks=deciding.asks,
            shadow_asks=deciding.shadow_asks,
            freezing=deciding.freezing,
            endorsing=following.endorsing,
            accusations=Accusations(epochs, recomputing, metrics),
            clean_runs=CleanRuns(epochs, recomputing),
            clock=clock,
            readers=readers,
            meter=metrics,
            monotonic=time.monotonic,
        )
        app = MemberServer(parts).application()
        listen = settings.listen
        async with deciding.running(), following.running(), asyncio.TaskGroup() as background:
            tasks = [
                background.create_task(leaf.renew_for_ever(metrics.leaf_renewed)),
                background.create_task(parts.judge.sweep_for_ever()),
                background.create_task(_every(RELOAD_SECONDS, authenticator.reload)),
                *(background.create_task(job) for job in (*deciding.jobs(), *following.jobs())),
            ]
            async with listening(app, listen.host, listen.port, leaf.context):
                _log_serving(vote_key.seat.name, epochs, listen.port)
                try:
                    yield Serving(leaf, clock, committee, settings.key)
                finally:
                    for task in tasks:
                        task.cancel()


def _log_serving(member: str, epochs: Epochs, port: int) -> None:
    log.info(
        "member %s of cluster %s serves on port %d, genesis %s, epoch %d",
        member,
        epochs.genesis.cluster_id,
        port,
        epochs.genesis.digest_text,
        epochs.head.record.number,
    )


async def _seated(settings: Settings) -> tuple[Epochs, VoteKey]:
    """The newest epoch that can be known now, and this member's seat in it."""
    genesis = parse_genesis(read_file(settings.genesis, GENESIS_BYTES_MAX))
    epochs = Epochs(genesis, _chain_files(settings.epochs))
    pem = read_file(settings.key, KEY_FILE_BYTES)
    await chain_peers.begin(settings.members_url, epochs, lambda: is_seated(pem, epochs.head))
    return epochs, load_vote_key(pem, epochs.head)


def _chain_files(directory: Path | None) -> ChainFiles | None:
    """Where to keep the epochs after number 0."""
    if directory is None:
        log.warning("without --epochs a restart forgets every epoch but the first")
        return None
    return ChainFiles(directory)


def _failed_gates(directory: Path | None) -> FailedGates:
    """What failed before this process began, and where to keep what fails next."""
    if directory is None:
        log.warning("without --failed-gates a restart forgets which gates failed")
        return FailedGates()
    files = FailedGateFiles(directory)
    known = files.load()
    log.info("%d failed gates are remembered in %s", len(known), directory)
    return FailedGates(files, known)


async def _every(seconds: float, reload: Callable[[], bool]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            reload()
        except InvalidInput as error:
            log.error("kept what was in use: %s", error)
