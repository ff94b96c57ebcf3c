"""Five members judge, vote, state and sign, each by itself; what they say together admits a pod."""

from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from quorate import certificate, receipt, signed_state
from quorate.consensus.thresholds import PRESETS
from quorate.errors import QuorateError, Unavailable
from quorate.evidence.intoto import Outcome
from quorate.signed_state import PodState, StateDenied
from quorate.verdict import Reason
from quorate.vouched import NoQuorum
from quorate_consensus.collected import Collected
from quorate_consensus.epochs import Epochs
from quorate_consensus.issuing import Committee
from quorate_consensus.judging import Judge
from quorate_consensus.receipt_service import ReceiptDenied, Receipts
from quorate_consensus.relay import Relay, read_model, read_policy
from quorate_consensus.state_service import States
from quorate_io.member_api import CERTIFICATES_FIELD, ObservedBatch
from tests.fakes import receipts, vouching
from tests.fakes.vouching import NOW
from tests.unit.consensus.scene import FILES, POD, ManualClock, Scene, Unread, relayed
from tests.unit.consensus.test_receipts import ON_NODE, Counter
from tests.unit.consensus.test_state_service import Silent, caller

SECOND = timedelta(seconds=1)


class Member:
    """One member, with a clock and a memory of its own."""

    def __init__(self, world: "World", index: int) -> None:
        epochs = Epochs(world.members.genesis)
        committee = Committee(epochs, world.members.keys[index], 3600, 600)
        self.clock, self.relay = ManualClock(NOW + index * 3 * SECOND), Relay()
        self.judge = Judge(committee, self.clock, world.workers, Silent(), lambda: 0.0)
        collected = Collected(epochs, Unread())
        self.states = States(committee, self.relay, self.judge, collected, self.clock)
        self.receipts = Receipts(
            committee, self.relay, self.judge, collected, self.clock, Counter()
        )
        self._sequence = 0

    def tell(self, **fields: Any) -> None:
        """Relay a batch; the first is a whole session."""
        self._sequence += 1
        first = self._sequence == 1
        batch = ObservedBatch(
            session="s", sequence=self._sequence, reset=first, complete=first, **fields
        )
        relayed(batch, relay=self.relay, now=self.clock.now())


class World:
    """A committee as configured by default: five members, one may lie, one may be down."""

    def __init__(self, workers: ThreadPoolExecutor) -> None:
        self.workers = workers
        self.members = vouching.Committee(n=5, thresholds=PRESETS["standard"])
        self.scene = Scene(members=self.members)
        self.history = self.members.history
        self.floor, self.model = self.scene.floor(), self.scene.model()
        self.all = [Member(self, index) for index in range(5)]
        self.key = receipts.session_key()
        for member in self.all:
            member.tell(policies=(self.floor,), models=(self.model,), pods=(POD,))

    async def certificate(self, members: Sequence[Member], issued_at: datetime = NOW) -> str:
        """What the operator collects. Raises NoQuorum."""
        policy, model = read_policy(self.floor), read_model(self.model)
        votes = [await member.judge.vote(policy, model, issued_at) for member in members]
        envelopes = [vote.envelope.encode() for vote in votes if vote.envelope]
        return certificate.combine(envelopes, self.history).decode()

    def relay(self, members: Sequence[Member], *envelopes: str) -> None:
        """Give the collected certificates back."""
        for member in members:
            member.tell(models=(self.model | {CERTIFICATES_FIELD: list(envelopes)},))

    async def show_failed(self, members: Sequence[Member]) -> None:
        """Have these judge a failed result, which they remember when it is withheld again."""
        failed = read_model(self.scene.model(result=Outcome.FAILED))
        for member in members:
            await member.judge.vote(read_policy(self.floor), failed, NOW)

    async def state(self, members: Sequence[Member]) -> PodState:
        """What the pod hears. Raises StateDenied, NoQuorum."""
        words = []
        for member in members:
            try:
                envelope = await member.states.envelope(caller())
            except Unavailable:
                continue
            now = member.clock.now()
            words.append(signed_state.read(envelope, self.history, POD.uid, now))
        return signed_state.agree(words, self.history)

    async def receipt(self, members: Sequence[Member], issued_at: datetime) -> receipt.Receipt:
        """What the pod gets. Raises NoQuorum."""
        asked = receipts.request(self.key, issued_at)
        envelopes = []
        for member in members:
            try:
                envelopes.append(await member.receipts.envelope(caller(**ON_NODE), asked))
            except (Unavailable, ReceiptDenied):
                continue
        return receipt.verify(
            receipt.combine(envelopes, self.history),
            self.history,
            pod_uid=POD.uid,
            session_key=self.key.public_key.pem,
            manifest_digest=FILES.digest,
            now=issued_at,
        )


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Members that know the cluster, and no certificate yet."""
    with ThreadPoolExecutor(1) as workers:
        yield World(workers)


@pytest.mark.requirement("admission by quorum: certificates, receipts and states of n members")
async def test_from_evidence_to_a_running_pod(world: World) -> None:
    """Members with clocks seconds apart sign one certificate and one receipt, and agree on a
    state; before the certificate comes back none of them says yes."""
    with pytest.raises(NoQuorum):
        await world.state(world.all)
    envelope = await world.certificate(world.all)
    world.relay(world.all, envelope)
    state = await world.state(world.all)
    assert state.manifest_digest == FILES.digest
    found = await world.receipt(world.all, NOW + 6 * SECOND)
    held = certificate.verify(envelope.encode(), world.history, NOW)
    assert len(held.voters) == 5
    assert found.statement.policies[0].certificate_id == held.certificate_id


@pytest.mark.requirement("admission by quorum: certificates, receipts and states of n members")
@pytest.mark.parametrize(
    ("down", "denying", "certified", "stated", "received"),
    [
        (0, 0, True, "allowed", True),
        (1, 0, True, "allowed", True),
        (0, 1, True, "allowed", True),
        (2, 0, False, "allowed", False),
        (1, 1, False, "allowed", False),
        (0, 2, False, "denied", False),
        (3, 1, False, "unheard", False),
        (4, 0, False, "unheard", False),
    ],
)
async def test_members_that_are_down_or_deny(
    world: World, down: int, denying: int, certified: bool, stated: str, received: bool
) -> None:
    """n=5: a new certificate and a receipt take four, a state two; two denials are one. What was
    certified before goes on while two say so."""
    envelope = await world.certificate(world.all)
    world.relay(world.all, envelope)
    up = world.all[down:]
    # They hold the quorum's certificate as well, and say no all the same.
    await world.show_failed(up[:denying])
    assert await _succeeds(world.certificate(up, NOW + SECOND)) == certified
    assert await _succeeds(world.receipt(up, NOW + 6 * SECOND)) == received
    if stated == "allowed":
        assert await world.state(up)
        return
    with pytest.raises(StateDenied if stated == "denied" else NoQuorum) as said:
        await world.state(up)
    if isinstance(said.value, StateDenied):
        assert said.value.reason == Reason.GATE_FAILED


async def _succeeds(attempt: Any) -> bool:
    try:
        await attempt
    except QuorateError:
        return False
    return True


async def test_members_that_were_not_told_yet_are_silent(world: World) -> None:
    """While the operator tells them one by one, a state needs two that know, a receipt four; who
    has another certificate meanwhile signs another receipt."""
    first, second = [await world.certificate(world.all, NOW + s * SECOND) for s in (0, 1)]
    at = NOW + 6 * SECOND
    for count, state, received in ((1, False, False), (2, True, False), (4, True, True)):
        world.relay(world.all[:count], first)
        assert await _succeeds(world.state(world.all)) == state
        assert await _succeeds(world.receipt(world.all, at)) == received
    world.relay(world.all[:2], second)
    assert await _succeeds(world.state(world.all))
    assert not await _succeeds(world.receipt(world.all, at))
    world.relay(world.all[2:], second)
    assert await _succeeds(world.receipt(world.all, at))


@pytest.mark.requirement("a newer FAILED is a revocation: withholding it does not help")
async def test_what_two_members_remember_denies(world: World) -> None:
    """Two members were shown a failed gate; withheld again, it stops certificate, state and
    receipt, whatever the other three hold."""
    envelope = await world.certificate(world.all)
    world.relay(world.all, envelope)
    await world.show_failed(world.all[:2])
    with pytest.raises(StateDenied, match="remembered"):
        await world.state(world.all)
    for attempt in (
        world.certificate(world.all, NOW + SECOND),
        world.receipt(world.all, NOW + 6 * SECOND),
    ):
        with pytest.raises(NoQuorum):
            await attempt
