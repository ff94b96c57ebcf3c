"""Five real members change who they are, over TLS and disk, and what they signed before counts."""

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate import certificate
from quorate.consensus import quarantine
from quorate.consensus.epoch import Change
from quorate.consensus.thresholds import PRESETS, Thresholds
from quorate.consensus.wire import Abstention
from quorate.errors import EvidenceError, QuorateError
from quorate_io import member_api
from quorate_io.committee_client import CommitteeClient
from quorate_io.member_api import EpochsRequest, Proposal
from tests.fakes.asking import user
from tests.fakes.ballots import SIGNATURES, Party, digest
from tests.integration.consensus.chain_keeping import ChainKeeping
from tests.integration.consensus.member_process import Cluster, own, pem
from tests.integration.consensus.operating import Operating, now, pod_client
from tests.integration.consensus.test_freezes import order, post, signed
from tests.integration.consensus.voting_cluster import VotingCluster, vote
from tests.unit.consensus.test_quarantine import equivocation

UID = "pod-uid-1"
FIVE = ("1", "2", "3", "4", "5")


@pytest.fixture
def keeping(tmp_path: Path) -> ChainKeeping:
    """Five members that do not run yet."""
    return ChainKeeping(Cluster(tmp_path, n=5))


class Running:
    """Processes of members, each of which may be ended and started again."""

    def __init__(self, keeping: ChainKeeping, stack: contextlib.ExitStack) -> None:
        self.keeping = keeping
        self.stack = stack
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Until it is ready."""
        options = self.keeping.options(name)
        member = self.keeping.cluster.member(*options, name=name)
        self.processes[name] = self.stack.enter_context(member)

    def kill(self, name: str) -> None:
        """At once."""
        self.processes[name].kill()
        self.processes[name].wait()

    def is_ready(self, name: str) -> bool:
        """What its health says."""
        with contextlib.suppress(OSError):
            return self.keeping.cluster.health("/readyz", name) == "ok\n"
        return False


@dataclass
class Traffic:
    """What a pod that goes on asking for its state was told."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)


@contextlib.contextmanager
def asking(pod: CommitteeClient) -> Iterator[Traffic]:
    """A pod that asks all the time, as often as one may."""
    traffic = Traffic()

    async def ask() -> None:
        while True:
            try:
                await pod.state(UID)
                traffic.answered += 1
            except QuorateError as error:
                traffic.failed.append(str(error))
            await asyncio.sleep(0.25)

    task = asyncio.create_task(ask())
    try:
        yield traffic
    finally:
        task.cancel()


@pytest.fixture
def running(keeping: ChainKeeping) -> Iterator[Running]:
    """The five."""
    with contextlib.ExitStack() as stack:
        found = Running(keeping, stack)
        for name in FIVE:
            found.start(name)
        yield found


@pytest.mark.requirement("committee: rotation and scaling 5 to 6 to 7 at running members")
async def test_a_rotation_and_a_replacement(keeping: ChainKeeping, running: Running) -> None:
    """A key rotates, a sixth and a seventh member come, a first one goes: each ends in the new
    epoch at every member, told by the others if by nobody else, and certificates and states go on.
    What was certified before counts after."""
    cluster, committee = keeping.cluster, keeping.committee
    async with Operating(cluster) as operator, pod_client(cluster) as pod:
        session = cluster.session()
        await operator.vouch(session)
        votes = await keeping.votes(now(), *FIVE)
        before = certificate.combine(list(votes.values())[:4], cluster.history)
        traffic = running.stack.enter_context(asking(pod))

        # 2's key rotates. One member is shown the record; the others learn it from that one.
        fresh = Party(ed25519.Ed25519PrivateKey.generate())
        seats = committee.seats(**{"2": {"key": fresh.identity.public_key.pem}})
        record = committee.next_record(Change.MEMBERSHIP, seats=seats)
        await keeping.show(await keeping.certify(record, *FIVE), "1")
        await keeping.everywhere(*FIVE)
        committee.parties["2"] = fresh
        assert not running.is_ready("2")
        running.kill("2")
        cluster.write(own("2", "key.pem"), pem(fresh.private))
        running.start("2")
        certificate.verify(before, await keeping.history("2"), datetime.now(UTC))

        # The sixth and the seventh know the genesis only, which names others. They start at once.
        for name, thresholds in (("6", PRESETS["ha"]), ("7", Thresholds(7, 4, 5, 1))):
            key = ed25519.Ed25519PrivateKey.generate()
            committee.parties[name] = Party(key)
            cluster.write(own(name, "key.pem"), pem(key))
            record = committee.next_record(
                Change.MEMBERSHIP,
                seats=(*committee.epoch.record.seats, keeping.seat(name)),
                thresholds=thresholds,
            )
            others = tuple(committee.epoch.members)
            certified = await keeping.certify(record, *others)
            await keeping.show(certified, *others)
            assert keeping.init(name).returncode == 0
            running.start(name)
            await keeping.everywhere(*others, name)

        # A member goes, and the seventh's signature is one of those that let it.
        gone = tuple(seat for seat in committee.epoch.record.seats if seat.name != "3")
        record = committee.next_record(
            Change.MEMBERSHIP, seats=gone, thresholds=PRESETS["ha"], reason="3 is replaced by 7"
        )
        await keeping.show(await keeping.certify(record, "1", "2", "4", "6", "7"), *"124567")
        await keeping.everywhere(*"124567")

        history = await keeping.history("7")
        assert history.head == committee.epoch
        assert [epoch.record.number for epoch in history.recent] == [0, 1, 2, 3, 4]
        certificate.verify(before, history, datetime.now(UTC))
        assert traffic.failed == []
        assert traffic.answered > 20
        await operator.client.history(newer=True)
        await operator.vouch(cluster.session("t"))
        held = (await operator.evaluate(cluster.floor(), cluster.model())).certificate
        assert held is not None
        found = certificate.verify(held.encode(), history, datetime.now(UTC))
        assert found.statement.epoch == committee.epoch.digest_text
        with pytest.raises(EvidenceError):
            certificate.verify(held.encode(), cluster.history, datetime.now(UTC))
        assert (await pod.state(UID)).policy_digests
        assert "quorate_member_epoch_number 4.0" in cluster.health("/metrics", "7")


@pytest.mark.requirement("committee: a quarantine with recomputable evidence at running members")
async def test_a_quarantine(keeping: ChainKeeping, running: Running) -> None:
    """Evidence that convicts nobody is declined by each, with the reason; the one that does is
    signed by all, without any administrator. Certificates count while enough of their signers are
    believed. The choice is one over a kill, and the liar signs nothing any more."""
    cluster, committee = keeping.cluster, keeping.committee
    async with Operating(cluster) as operator:
        await operator.vouch(cluster.session())
    votes = await keeping.votes(now(), *FIVE)
    by_all = certificate.combine(list(votes.values()), cluster.history)
    with_liar = certificate.combine([votes[name] for name in "2345"], cluster.history)
    for envelope in (by_all, with_liar):
        certificate.verify(envelope, cluster.history, datetime.now(UTC))

    # Members sign last, and only for who may propose.
    record = committee.next_record(Change.CANARIES, canaries=digest("c"))
    answer = await keeping.ask("1", record, admins=0)
    assert answer.declined is not None
    assert answer.declined.reason == "AdministratorsMissing"
    request = EpochsRequest(propose=Proposal(record=record))
    assert (await keeping.send("1", request, token=False))[0] == 401
    weak = EpochsRequest(certified=committee.endorse(record, 3, 1))
    assert (await keeping.send("1", weak, token=False))[0] == 409

    pair = equivocation(committee, "5")
    evidence = quarantine.encode(pair)
    record = quarantine.propose(committee.epoch, pair, SIGNATURES)
    framed = msgspec.structs.replace(record, seats=committee.seats(**{"4": {"quarantined": True}}))
    for name in FIVE:
        answer = await keeping.ask(name, framed, evidence, admins=0)
        assert answer.declined is not None
        assert answer.declined.reason == "EvidenceRefuted"
    assert (await keeping.ask("1", record, evidence, admins=0)).endorsement is not None
    running.kill("1")
    running.start("1")
    other = msgspec.structs.replace(record, reason="in other words")
    answer = await keeping.ask("1", other, evidence, admins=0)
    assert answer.declined is not None
    assert answer.declined.reason == "AnotherChosen"

    certified = await keeping.certify(record, *"1234", evidence=evidence, admins=0)
    await keeping.show(certified, *"1234")
    await keeping.everywhere(*FIVE)
    history = await keeping.history("5")
    certificate.verify(by_all, history, datetime.now(UTC))
    with pytest.raises(EvidenceError):
        certificate.verify(with_liar, history, datetime.now(UTC))
    assert not running.is_ready("5")
    record = committee.next_record(Change.CANARIES, canaries=digest("c"))
    answer = await keeping.ask("5", record)
    assert answer.declined is not None
    assert answer.declined.reason == "NoSay"
    metrics = cluster.health("/metrics", "1")
    assert 'proposals_total{outcome="declined",reason="AnotherChosen"} 1.0' in metrics


@pytest.mark.requirement("committee: a rotated member goes on by itself, with what it said")
async def test_a_rotated_member_goes_on_by_itself(tmp_path: Path) -> None:
    """The new key is there, then the record: the process ends, and the next one votes in the new
    epoch, with the store of the old key."""
    voting = VotingCluster(tmp_path)
    assert voting.init().returncode == 0
    keeping = ChainKeeping(voting)
    fresh = Party(ed25519.Ed25519PrivateKey.generate())
    with voting.member(*voting.voting()) as process:
        voting.write("key.pem", pem(fresh.private))
        seats = keeping.committee.seats(**{"1": {"key": fresh.identity.public_key.pem}})
        record = keeping.committee.next_record(Change.MEMBERSHIP, seats=seats)
        epoch = await keeping.show(await keeping.certify(record, "1"), "1")
        assert process.wait(20) == 0
    assert "ends, to start again with the key that its seat names" in voting.log()
    with voting.member(*voting.voting()):
        await voting.observe()
        async with voting.session_to() as session:
            ask = voting.ask(voting.request(user("hi")), epoch=epoch.digest)
            voting.ballot(await vote(session, ask), epoch)
    assert "goes on under another key with the store that it has" in voting.log()


@pytest.mark.requirement("freeze: only administrators and a strict quorum end it before its time")
async def test_votes_and_freezes_go_by_the_new_epoch(tmp_path: Path) -> None:
    """As soon as a member is shown the release, it votes about what was frozen, in the new epoch
    and in no other; the freeze is not told of any more, nor is it back after a kill."""
    voting = VotingCluster(tmp_path)
    assert voting.init().returncode == 0
    keeping = ChainKeeping(voting)
    one, request = order(), voting.request(user("hi"))
    with voting.killed(*voting.voting()):
        await voting.observe()
        body = member_api.encode(signed(one, voting.admin))
        assert (await post(voting.url, body))[0] == 200
        async with voting.session_to() as session:
            assert await vote(session, voting.ask(request)) == Abstention(1, "Frozen")
            record = keeping.committee.next_record(Change.RELEASE, released=(one.order_id,))
            epoch = await keeping.show(await keeping.certify(record, "1"), "1")
            voting.ballot(await vote(session, voting.ask(request, epoch=epoch.digest)), epoch)
            assert await vote(session, voting.ask(request)) == Abstention(1, "OtherEpoch")
        assert (await post(voting.url, body))[0] == 403
    with voting.member(*voting.voting()):
        await voting.observe()
        async with voting.session_to() as session:
            voting.ballot(await vote(session, voting.ask(request, epoch=epoch.digest)), epoch)
        assert "quorate_member_freezes 0.0" in voting.health("/metrics")
