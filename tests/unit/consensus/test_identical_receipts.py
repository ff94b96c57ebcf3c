"""Receipts that many members sign: the same bytes, from documents that all of them hold."""

import dataclasses
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from quorate.errors import Unavailable
from quorate.evidence import dsse
from quorate.evidence.intoto import Outcome
from quorate.verdict import Reason
from quorate_consensus.epochs import Epochs
from quorate_consensus.issuing import Committee
from quorate_consensus.relay import read_policy
from tests.fakes import receipts, vouching
from tests.fakes.vouching import NOW
from tests.unit.consensus.scene import FILES
from tests.unit.consensus.test_receipts import ON_NODE, Desk
from tests.unit.consensus.test_state_service import caller


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """A member that knows the scene."""
    with ThreadPoolExecutor(1) as workers:
        desk = Desk(workers)
        desk.tell()
        yield desk


@pytest.mark.requirement("a receipt ends within its life of the operator's last word")
@pytest.mark.parametrize(
    ("silence", "ahead", "counted"),
    [
        *((0, 0, 15), (15, 0, 15), (16, 0, 30), (15, 1, 30), (0, 15, 15), (0, 16, 30)),
        *((31, 0, 60), (240, 0, 240), (241, 0, 480), (480, 0, 480)),
    ],
)
async def test_a_receipt_ends_sooner_for_the_operators_silence(
    desk: Desk, silence: int, ahead: int, counted: int
) -> None:
    """Rounded up, so that members that heard it at different moments say the same; a request that
    is dated ahead gains nothing."""
    desk.clock.advance(silence)
    asked_at = desk.clock.now() + timedelta(seconds=ahead)
    end = (await desk.ask(receipts.request(desk.key, asked_at))).statement.expires_at
    assert end == asked_at + timedelta(seconds=900 - counted)
    assert end <= NOW + timedelta(minutes=15)


@pytest.mark.requirement("a receipt ends within its life of the operator's last word")
async def test_no_receipt_when_the_operator_is_silent_for_long(desk: Desk) -> None:
    """Until it is heard again."""
    desk.clock.advance(481)
    with pytest.raises(Unavailable, match="operator was last heard"):
        await desk.ask()
    desk.tell(2)
    assert await desk.ask()


async def test_a_receipt_does_not_outlive_a_certificate(desk: Desk) -> None:
    """With certificates of one minute receipts end with them, and none is issued after that."""
    desk.scene.certificate_life = 60
    desk.tell(2, models=(desk.scene.collected(desk.scene.model()),))
    assert (await desk.ask()).statement.expires_at == NOW + timedelta(minutes=1)
    desk.clock.advance(60)
    desk.tell(3)
    with pytest.raises(Unavailable, match="was not collected yet"):
        await desk.ask()


async def test_a_receipt_that_would_have_ended_is_none(desk: Desk) -> None:
    """A request that is late for a short life."""
    short = dataclasses.replace(desk.scene.committee, receipt_life=20)
    desk.serve(short)
    asked = receipts.request(desk.key)
    desk.clock.advance(9)
    assert (await desk.ask(asked)).statement.expires_at == NOW + timedelta(seconds=10)
    desk.clock.advance(1)
    desk.tell(2)
    with pytest.raises(Unavailable, match="would have ended"):
        await desk.ask(asked)


@pytest.mark.parametrize("seconds", [-31, 31])
async def test_a_request_of_another_time(desk: Desk, seconds: int) -> None:
    """The receipt is issued at the request's time: it must be near the member's."""
    asked = receipts.request(desk.key, NOW + timedelta(seconds=seconds))
    assert (await desk.denied(asked))[0] is Reason.SESSION_KEY_NOT_PROVEN


@pytest.mark.requirement("receipts carry votes of members on one identical statement")
async def test_all_members_sign_the_same_receipt() -> None:
    """Whenever each of them answers, heard the operator, judged, and in whatever order it was told
    of the policies and of the certificates."""
    members = vouching.Committee(n=3)
    tenant = vouching.policy({}, name="tenant", namespace="team-a")
    key, said = receipts.session_key(), set()
    with ThreadPoolExecutor(1) as workers:
        desks = [Desk(workers) for _ in members.keys]
        for n, desk in enumerate(desks):
            desk.scene.owner, desk.scene.producer = desks[0].scene.owner, desks[0].scene.producer
            desk.scene.members, desk.key = members, key
            desk.serve(Committee(Epochs(members.genesis), members.keys[n], 3600, 600))
            policies = (desk.scene.floor(), tenant)
            certificates = [
                members.certify(FILES, p.ref, p.digest, now=NOW + timedelta(seconds=s)).decode()
                for p in map(read_policy, policies)
                for s in (0, 1)
            ]
            model = desks[0].scene.model() | {"certificates": certificates[:: -1 if n else 1]}
            desk.clock.advance(3 * n)
            desk.tell(policies=policies[:: -1 if n else 1], models=(model,))
            desk.clock.advance(2 * n)
            asked = receipts.request(key, NOW + timedelta(seconds=5, milliseconds=250))
            envelope = await desk.receipts.envelope(caller(**ON_NODE), asked)
            said.add(dsse.parse(envelope, bytes_max=65_536).payload)
    (payload,) = said
    assert json.loads(payload)["issuedAt"] == "2026-11-21T12:00:05Z"


@pytest.mark.requirement("a member tells no pod yes on its own word alone")
async def test_no_receipt_before_the_certificates_were_collected(desk: Desk) -> None:
    """Neither yes nor no; a denial does not wait for them."""
    desk.tell(2, models=(desk.scene.model(),))
    with pytest.raises(Unavailable, match="was not collected yet"):
        await desk.ask()
    certified = desk.scene.collected(desk.scene.model())["certificates"]
    failed = desk.scene.model(result=Outcome.FAILED)
    desk.tell(3, models=(failed | {"certificates": certified},))
    assert (await desk.denied())[0] is Reason.GATE_FAILED
