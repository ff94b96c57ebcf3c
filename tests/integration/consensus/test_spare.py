"""A spare beside five real members: it waits, is seated by people's word, and votes."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.consensus import quarantine
from quorate.consensus.epoch import Epoch
from quorate.consensus.spare import Spare
from quorate.keys import LocalSigner
from quorate_io.clock import SystemClock
from quorate_operator.spares import Spares, asks_keys
from tests.fakes.asking import user
from tests.fakes.ballots import SIGNATURES, Party
from tests.integration.consensus.chain_keeping import ChainKeeping
from tests.integration.consensus.member_process import own, pem
from tests.integration.consensus.voting_cluster import VotingCluster, vote
from tests.unit.consensus.test_quarantine import equivocation

FIVE, SPARE, LIAR = ("1", "2", "3", "4", "5"), "6", "5"
SEATED_SECONDS = 40.0
"""Ten until it hears of the record, and the time to start as a member."""


@contextlib.contextmanager
def six(cluster: VotingCluster) -> Iterator[None]:
    """Five members, and one that waits."""
    with contextlib.ExitStack() as stack:
        for name in (*FIVE, SPARE):
            extra = ["--spare", SPARE, "--judges", "seat"] if name == SPARE else ["--make-store"]
            options = cluster.voting(*extra, name=name)
            stack.enter_context(cluster.member(*options, name=name))
        yield


async def votes(cluster: VotingCluster, epoch: Epoch) -> None:
    """Until the spare votes, in this epoch, with the key of its seat."""
    end = time.monotonic() + SEATED_SECONDS
    while "votes as incarnation" not in cluster.log(SPARE):
        assert time.monotonic() < end, cluster.log(SPARE)
        await asyncio.sleep(0.2)
    while True:
        with contextlib.suppress(aiohttp.ClientError, AssertionError):
            await cluster.observe(SPARE)
            break
        assert time.monotonic() < end, cluster.log(SPARE)
        await asyncio.sleep(0.2)
    async with cluster.session_to(name=SPARE) as session:
        answer = await vote(session, cluster.ask(cluster.request(user("hi")), epoch=epoch.digest))
        assert cluster.ballot(answer, epoch).member == SPARE


@pytest.mark.requirement(
    "self-healing: after a quarantine a spare and a prepared epoch change that people acknowledge"
)
async def test_a_spare_takes_a_liars_seat(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The operator finds out its key at its own connection; no member signs what people have not
    signed; one member that hears of the record is enough, and the spare votes by the seat's judges,
    from the store that it made while it waited. The one that lost its seat says so."""
    cluster = VotingCluster(tmp_path, n=5)
    keeping = ChainKeeping(cluster)
    committee, key = keeping.committee, ed25519.Ed25519PrivateKey.generate()
    committee.parties[SPARE] = Party(key)
    cluster.write(own(SPARE, "key.pem"), pem(key))
    asks = asks_keys(cluster.template, cluster.genesis.digest_text, SystemClock())
    spares = Spares((Spare(SPARE, "rack-6"),), asks, time.monotonic)
    with six(cluster):
        pair = equivocation(committee, LIAR)
        taken = quarantine.propose(committee.epoch, pair, SIGNATURES)
        evidence = quarantine.encode(pair)
        certified = await keeping.certify(taken, *"1234", evidence=evidence, admins=0)
        await keeping.show(certified, *"1234")

        prepared = await spares.prepared(await keeping.history("1"))
        assert prepared.problem == ""
        assert (prepared.record, prepared.joins) != (None, None)
        assert prepared.record is not None
        assert prepared.joins is not None
        assert prepared.joins.key == LocalSigner(key).public_key.pem
        answer = await keeping.ask("1", prepared.record, admins=0)
        assert answer.declined is not None
        assert answer.declined.reason == "AdministratorsMissing"
        assert "has a seat" not in cluster.log(SPARE)

        certified = await keeping.certify(prepared.record, *"1234")
        begin = time.monotonic()
        epoch = await keeping.show(certified, "1")
        await votes(cluster, epoch)
        seconds = time.monotonic() - begin
        assert f"by the judges {cluster.set_of(LIAR)}" in cluster.log(SPARE)
        await keeping.everywhere(*"1234", SPARE)
        with pytest.raises(OSError, match="503"):
            cluster.health("/readyz", LIAR)
    with capsys.disabled():
        sys.stdout.write(f"\na spare voted {seconds:.1f} s after one member heard of the record\n")
