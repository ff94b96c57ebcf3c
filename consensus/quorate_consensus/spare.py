"""A member that has no seat yet: it holds a key, follows the chain, and waits to be seated.

It serves what proves itself, the chain and its own authority, so that whoever prepares the record
that seats it can see that it is there and which key it holds. It signs nothing and hears no token.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from aiohttp import web

from quorate.consensus.epoch import material_of
from quorate.errors import InvalidInput
from quorate.genesis import GENESIS_BYTES_MAX, parse_genesis
from quorate.keys import LocalSigner
from quorate.ports import Clock
from quorate_consensus.chain_peers import ChainPeers
from quorate_consensus.epochs import ChainFiles, Epochs
from quorate_consensus.failures import respond
from quorate_consensus.genesis_route import GenesisRoute
from quorate_consensus.leaf import MemberCertificate
from quorate_consensus.listening import listening
from quorate_consensus.settings import Settings
from quorate_consensus.small_file import KEY_FILE_BYTES, read_file
from quorate_consensus.vote_key import is_seated, load_identity
from quorate_consensus.votes import store as stores
from quorate_consensus.votes.store import Owner, VoteStore
from quorate_io import member_api

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A spare that waits, for its health."""

    leaf: MemberCertificate
    clock: Clock
    seated: asyncio.Event

    def not_ready(self) -> list[str]:
        """Reasons why nobody can find out who it is."""
        if self.clock.now() >= self.leaf.not_after:
            return [f"the TLS certificate expired at {self.leaf.not_after.isoformat()}"]
        return []


@contextlib.asynccontextmanager
async def waiting(settings: Settings, clock: Clock) -> AsyncIterator[Waiting]:
    """Wait while the block runs; ``seated`` is set once an epoch has a seat with this key.

    Raises QuorateError before it listens if a file cannot be used.
    """
    genesis = parse_genesis(read_file(settings.genesis, GENESIS_BYTES_MAX))
    epochs = Epochs(genesis, ChainFiles(settings.epochs) if settings.epochs is not None else None)
    pem = read_file(settings.key, KEY_FILE_BYTES)
    life = timedelta(seconds=settings.leaf_life)
    key = load_identity(pem)
    leaf = MemberCertificate(settings.spare, key, settings.tls_names, clock, life)
    seated = asyncio.Event()

    def look() -> None:
        if is_seated(pem, epochs.head):
            seated.set()

    epochs.on_opened(look)
    look()
    peers = ChainPeers(settings.members_url, settings.spare, epochs, epochs.extend)
    peers.looked = partial(_make_store, settings, LocalSigner(key), epochs)
    app = _application(GenesisRoute(epochs, leaf.authority_pem))
    listen = settings.listen
    async with asyncio.TaskGroup() as background:
        tasks = [
            background.create_task(leaf.renew_for_ever(_renewed)),
            background.create_task(peers.follow_for_ever()),
        ]
        async with listening(app, listen.host, listen.port, leaf.context):
            log.info("%s waits for a seat, at epoch %d", settings.spare, epochs.head.record.number)
            try:
                yield Waiting(leaf, clock, seated)
            finally:
                for task in tasks:
                    task.cancel()


def _make_store(settings: Settings, signer: LocalSigner, epochs: Epochs, told: int) -> None:
    """Make the vote store of a key that never voted: it has no seat by what as many members told as
    must sign to give it one. Whoever finds none later lost it, and must not go on."""
    head, voting, key_id = epochs.head, settings.voting, signer.public_key.key_id
    if voting is None or told < head.record.thresholds.strict:
        return
    if any(material_of(seat.key) == key_id for seat in head.record.seats):
        return
    if VoteStore.is_there(voting.store):
        return
    try:
        stores.init(voting.store, Owner(settings.spare, key_id, epochs.genesis.digest_text))
    except InvalidInput as error:
        log.error("no vote store is made: %s", error)
    else:
        log.info("a vote store is made: this key never had a seat")


def _renewed(not_after: datetime) -> None:
    log.debug("serving certificate until %s", not_after)


def _application(genesis: GenesisRoute) -> web.Application:
    app = web.Application(middlewares=[_answer_always])
    app.router.add_get(member_api.GENESIS_PATH, genesis.get, allow_head=False)
    return app


@web.middleware
async def _answer_always(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every request ends in a body of ours, whatever happens."""
    try:
        return await handler(request)
    except Exception as error:  # the boundary: nothing may pass it
        return respond(error)
