"""Signed states: for the token's own pod, from what the member knows, signed when it changed."""

import hashlib
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from quorate.errors import Unavailable
from quorate.evidence import dsse
from quorate.evidence.intoto import Outcome
from quorate.keys import PublicKey
from quorate.signed_state import PodState, StateDenied
from quorate_consensus.collected import Collected
from quorate_consensus.epochs import Epochs
from quorate_consensus.issuing import Committee
from quorate_consensus.judging import Judge
from quorate_consensus.relay import Relay
from quorate_consensus.state_service import REMEMBERED_SECONDS, NotFound, PodUnknown, States
from quorate_consensus.tokens import Caller
from quorate_io.member_api import ObservedBatch
from tests.fakes.states import state_of
from tests.fakes.vouching import NOW
from tests.unit.consensus.scene import FILES, POD, ManualClock, Scene, Unread, relayed

SECOND = timedelta(seconds=1)


class CountingSigner:
    """The member's key, counting what it signs."""

    def __init__(self, scene: Scene) -> None:
        self._key = scene.members.keys[0]
        self.signatures = 0

    @property
    def public_key(self) -> PublicKey:
        """The member's public key."""
        return self._key.public_key

    def sign(self, data: bytes) -> bytes:
        """Sign, and count."""
        self.signatures += 1
        return self._key.sign(data)


class Silent:
    """A meter nobody reads."""

    def judged(self, allowed: bool, seconds: float) -> None:
        """Ignore."""

    def revoked(self, count: int) -> None:
        """Ignore."""


class Desk:
    """States of a scene, with its clock and relay."""

    def __init__(self, workers: ThreadPoolExecutor) -> None:
        self.scene, self.clock, self.relay = Scene(), ManualClock(), Relay()
        self.signer = CountingSigner(self.scene)
        committee = Committee(Epochs(self.scene.members.genesis), self.signer, 3600, 600)
        judge = Judge(committee, self.clock, workers, Silent(), lambda: 0.0)
        collected = Collected(committee.epochs, Unread())
        self.states = States(committee, self.relay, judge, collected, self.clock)

    def tell(self, sequence: int = 1, **fields: Any) -> None:
        """Relay a session, or with a later ``sequence`` a change."""
        batch = (
            self.scene.batch(**fields)
            if sequence == 1
            else ObservedBatch(session="s", sequence=sequence, **fields)
        )
        relayed(batch, relay=self.relay, now=self.clock.now())

    async def state(self) -> PodState:
        """What the pod's sidecar makes of its state now."""
        envelope = await self.states.envelope(caller())
        history = self.scene.members.history
        return state_of(envelope, history, POD.uid, self.clock.now())


def caller(**changes: Any) -> Caller:
    """The pod's caller, with parts replaced."""
    parts: dict[str, Any] = {
        "user": "system:serviceaccount:team-a:default",
        "namespace": POD.namespace,
        "pod_name": POD.name,
        "pod_uid": POD.uid,
        "expires_at": 0,
    }
    return Caller(**(parts | changes))


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """A member that knows the scene."""
    with ThreadPoolExecutor(1) as workers:
        desk = Desk(workers)
        desk.tell()
        yield desk


async def test_nothing_is_said_before_the_cluster_is_known() -> None:
    """A restarted member answers that it is not ready, rather than that a pod is unknown."""
    with ThreadPoolExecutor(1) as workers:
        desk = Desk(workers)
        with pytest.raises(Unavailable):
            await desk.states.envelope(caller())
        with pytest.raises(Unavailable):
            await desk.states.manifest(caller(), FILES.digest)


@pytest.mark.parametrize(
    "changes",
    [{"pod_uid": "pod-uid-2"}, {"pod_name": "chat-1"}, {"namespace": "team-b"}],
)
@pytest.mark.requirement("a member accepts a token only for a pod UID it knows as protected")
async def test_the_token_must_be_of_a_known_pod(desk: Desk, changes: dict[str, str]) -> None:
    """UID, name and namespace all have to be the pod's."""
    with pytest.raises(PodUnknown):
        await desk.states.envelope(caller(**changes))
    with pytest.raises(PodUnknown):
        await desk.states.manifest(caller(**changes), FILES.digest)


async def test_an_unchanged_state_is_signed_once_in_a_while(desk: Desk) -> None:
    """Asked in a loop a pod costs no signature each time; later it gets a fresh one."""
    first = await desk.state()
    before = desk.signer.signatures
    assert await desk.state() == first
    assert desk.signer.signatures == before
    desk.clock.advance(REMEMBERED_SECONDS)
    desk.tell(2)
    later = await desk.state()
    assert later.issued_at - first.issued_at == REMEMBERED_SECONDS * SECOND
    assert desk.signer.signatures == before + 1


@pytest.mark.requirement("a FAILED gate or a revoked key is a revocation in the signed state")
async def test_a_change_is_told_at_once(desk: Desk) -> None:
    """A denial does not wait for the remembered state, and lists what was revoked."""
    await desk.state()
    desk.tell(2, models=(desk.scene.model(result=Outcome.FAILED),))
    with pytest.raises(StateDenied) as denial:
        await desk.state()
    assert denial.value.reason == "GateFailed"
    desk.tell(3, models=(desk.scene.collected(desk.scene.model()),))
    with pytest.raises(StateDenied, match="remembered"):
        await desk.state()
    passed = desk.scene.model(finished_at=NOW - timedelta(minutes=30))
    desk.tell(4, models=(passed,))
    with pytest.raises(Unavailable, match="was not collected yet"):
        await desk.state()
    desk.tell(5, models=(desk.scene.collected(passed),))
    assert (await desk.state()).manifest_digest == FILES.digest


@pytest.mark.requirement("a FAILED gate or a revoked key is a revocation in the signed state")
async def test_a_denial_lists_what_is_out(desk: Desk) -> None:
    """Also when the operator has taken the certificates back, until they would have expired."""
    certified = desk.scene.collected(desk.scene.model())
    held = dsse.parse(certified["certificates"][0].encode(), bytes_max=32_768)
    certificate_id = f"sha256:{hashlib.sha256(held.payload).hexdigest()}"
    desk.tell(2, models=(certified,))
    await desk.state()
    desk.tell(3, models=(desk.scene.model(result=Outcome.FAILED),))
    waits: list[tuple[int, list[str]]] = [(0, [certificate_id]), (3599, [certificate_id]), (1, [])]
    for sequence, (wait, revoked) in enumerate(waits, 4):
        desk.clock.advance(wait)
        desk.tell(sequence)
        envelope = dsse.parse(await desk.states.envelope(caller()), bytes_max=100_000)
        assert json.loads(envelope.payload).get("revoked", []) == revoked


async def test_a_rising_clock_ends_what_nobody_renews(desk: Desk) -> None:
    """While the operator is silent every new state ends at the same instant; then there is none."""
    ends = set()
    for _ in range(6):
        ends.add((await desk.state()).expires_at)
        desk.clock.advance(99)
    assert ends == {NOW + 600 * SECOND}
    desk.clock.advance(6)
    with pytest.raises(Unavailable, match="operator was last heard"):
        await desk.state()
    desk.tell(2)
    assert (await desk.state()).expires_at == NOW + 1200 * SECOND


async def test_a_clock_set_back_is_no_reason_to_reuse(desk: Desk) -> None:
    """A remembered state from the future is not served."""
    await desk.state()
    desk.clock.advance(-20)
    assert (await desk.state()).issued_at == NOW - 20 * SECOND


async def test_the_manifest_of_the_pods_own_model(desk: Desk) -> None:
    """By its digest; another digest, or a model that is not signed as asked, gives none."""
    body = await desk.states.manifest(caller(), FILES.digest)
    assert body.startswith(b'{"hash_type":"sha256"')
    with pytest.raises(NotFound):
        await desk.states.manifest(caller(), f"sha256:{'0' * 64}")
    document = desk.scene.model()
    document["spec"]["signatures"] = []
    desk.tell(2, models=(document,))
    with pytest.raises(NotFound):
        await desk.states.manifest(caller(), FILES.digest)
