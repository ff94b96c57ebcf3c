"""From settings to a member that votes: its store, its judges, its vote key."""

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from quorate.consensus import judge_sets
from quorate.consensus import request as requests
from quorate.consensus.member import Member
from quorate.consensus.request import Request
from quorate.errors import InvalidInput
from quorate.ports import Clock, Sigstore
from quorate_consensus.asks import Asks
from quorate_consensus.epochs import Epochs
from quorate_consensus.failed_gates import FailedGates
from quorate_consensus.freeze_files import FreezeFiles
from quorate_consensus.freeze_peers import FreezePeers
from quorate_consensus.freezing import Freezing
from quorate_consensus.judges import release as releases
from quorate_consensus.judges.building import on_threads, readers
from quorate_consensus.judges.evidence import EvidenceJudge, NotAsked
from quorate_consensus.judges.evidence.known import Relayed
from quorate_consensus.judges.panel import Panel
from quorate_consensus.judges.sets import SETS
from quorate_consensus.judges.warming import warm
from quorate_consensus.relay import Relay
from quorate_consensus.settings import Settings
from quorate_consensus.shadow_asks import ShadowAsks
from quorate_consensus.vote_key import VoteKey
from quorate_consensus.voter import Delegating, Voter, check_judges
from quorate_consensus.votes import store as stores
from quorate_consensus.votes.store import Owner, VoteStore
from quorate_consensus.voting import Voting
from quorate_consensus.voting_metrics import VotingMetrics
from quorate_consensus.voting_settings import OF_SEAT, VotingSettings

Parse = Callable[[bytes], Request]
FREEZES: Final = "freezes"
"""In the store: what is frozen."""

PARSED_MAX: Final = 16
"""Requests that are remembered as they were read: who may ask about one, and what judges say of it,
are decided one after the other, and a large one takes milliseconds to read."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """What judges and voting share with the rest of the member."""

    epochs: Epochs
    identity: VoteKey
    relay: Relay
    clock: Clock
    sigstore: Sigstore | None
    failed_gates: FailedGates


def owner(epochs: Epochs, identity: VoteKey) -> Owner:
    """Whose the member's store is."""
    key_id = identity.signer.public_key.key_id
    return Owner(identity.seat.name, key_id, epochs.genesis.digest_text)


def panel(
    settings: VotingSettings,
    known: Known,
    workers: Executor,
    meter: VotingMetrics,
    parse: Parse = requests.parse,
) -> tuple[Panel, Panel]:
    """The judges of the set, and those in shadow. Raises QuorateError if their release cannot be
    used."""
    if settings.release is None:
        release = releases.open_built_in()
    else:
        release = releases.open_pinned(settings.release, settings.release_digest)
    evidence = EvidenceJudge(
        Relayed(known.relay),
        known.epochs,
        known.clock,
        workers,
        known.sigstore,
        known.failed_gates,
    )
    found = readers(release, SETS[settings.judges])
    warm(found)
    reading = on_threads(found, workers)
    return (
        Panel([evidence, *reading], meter, parse=parse),
        Panel([NotAsked(), *reading], meter, parse=parse),
    )


class Deciding:
    """What a member decides at run time, put together: votes, and what is frozen."""

    def __init__(self, settings: Settings, known: Known, meter: VotingMetrics) -> None:
        """Raises QuorateError if there is no store of this member, or the seat names other judges:
        a member must not vote then. Without a store it abstains."""
        voting = settings.voting
        parse = lru_cache(maxsize=PARSED_MAX)(requests.parse)
        self._workers = ThreadPoolExecutor(settings.workers, thread_name_prefix="vote")
        self._room: Voting | None = None
        self.voter: Voter | None = None
        if voting is None:
            log.warning("without --store this member does not vote, and forgets freezes")
        else:
            self._room, self.voter = _voter(voting, known, self._workers, meter, parse)
        freezes = FreezeFiles(voting.store / FREEZES) if voting is not None else None
        self.freezing = Freezing(known.epochs, known.clock, freezes)
        self.freezing.on_changed(lambda found: meter.frozen(len(found.orders)))
        if self.voter is not None:
            self.freezing.on_changed(self.voter.freeze)
        self.asks = Asks(self.voter, known.relay, meter, time.monotonic, parse)
        self.shadow_asks = ShadowAsks(
            self.voter, known.identity.seat.name, known.epochs, known.clock, time.monotonic
        )
        self._peers = (
            FreezePeers(settings.members_url, known.identity.seat.name, known.epochs, self.freezing)
            if settings.members_url
            else None
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Vote while the block runs. At the end asks under way are answered.

        Raises InvalidInput if what was said in this epoch cannot be read.
        """
        with self._workers:
            if self._room is not None:
                self._room.start()
            try:
                yield
            finally:
                if self._room is not None:
                    await self._room.stop()

    def jobs(self) -> list[Coroutine[Any, Any, None]]:
        """What goes on beside, until cancelled."""
        found = [self.freezing.sweep_for_ever()]
        if self.voter is not None:
            found.append(self.voter.follow_for_ever())
        if self._peers is not None:
            found.append(self._peers.follow_for_ever())
        return found


def _voter(
    settings: VotingSettings,
    known: Known,
    workers: Executor,
    meter: VotingMetrics,
    parse: Parse,
) -> tuple[Voting, Voter]:
    epoch, identity = known.epochs.head, known.identity
    if settings.judges == OF_SEAT:
        settings = replace(settings, judges=judge_sets.set_of_digest(identity.seat.judges))
    judges, in_shadow = panel(settings, known, workers, meter, parse)
    check_judges(identity.seat, judges.digest)
    whose = owner(known.epochs, identity)
    if settings.make_store and not VoteStore.is_there(settings.store):
        log.warning("a vote store is made: what this member said before is not known to it")
        stores.init(settings.store, whose)
    try:
        if stores.adopt(settings.store, whose):
            log.info("goes on under another key with the store that it has")
        store = VoteStore(settings.store, whose)
        store.reach(epoch.record.number)
        incarnation = store.begin_incarnation()
    except OSError as error:
        where = str(settings.store)
        raise InvalidInput(f"cannot be written: {error.strerror}", field=where) from None
    delegating = Delegating(identity.seat.name, identity.signer, incarnation)
    member = Member(
        identity.seat.name, epoch, incarnation, delegating.in_epoch(epoch), judges.digest
    )
    room = Voting(
        member,
        store,
        delegating.vote_key,
        judges,
        known.clock,
        meter,
        time.monotonic,
        in_shadow,
    )
    log.info("votes as incarnation %d by the judges %s", incarnation, settings.judges)
    return room, Voter(room, delegating, judges.digest, known.epochs, store)
