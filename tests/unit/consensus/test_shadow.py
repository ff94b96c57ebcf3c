"""Asks in shadow: proven by what is good at one member under quarantine, and nowhere else."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from quorate import shadow
from quorate.consensus import request as requests
from quorate.consensus import wire
from quorate.consensus.epoch import Epoch
from quorate.consensus.freeze import Target
from quorate.consensus.request import Principal, Request
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Abstention, Ask
from quorate.errors import InvalidInput, LimitExceeded, QuorateError
from quorate.shadow import SHADOW_BYTES
from quorate_consensus import shadow_asks
from quorate_consensus.failures import Unauthenticated
from quorate_consensus.shadow_asks import ShadowAsks
from quorate_consensus.shedding import TooManyRequests
from tests.fakes import asking, receipts
from tests.fakes.receipts import session_key
from tests.fakes.signing_epochs import FILES, SESSION, Cluster
from tests.fakes.vouching import NOW

POLICY = f"sha256:{'7' * 64}"
PRINCIPAL = Principal("team-a", "chat-0", "demo", FILES.digest, (POLICY,))
LIAR = "m4"


def away() -> Cluster:
    """Five members; the last one is under quarantine."""
    cluster = Cluster()
    cluster.quarantine(LIAR)
    return cluster


CLUSTER = away()
RECEIPT = CLUSTER.receipt("m0", "m1", "m2", "m3")


def request(**fields: Any) -> Request:
    """Of the pod whose receipt it is."""
    return asking.request(**({"principal": PRINCIPAL} | fields))


def ask(made: bytes | None = None, **fields: Any) -> bytes:
    """An ask about it."""
    whole: dict[str, Any] = {
        "version": wire.VERSION,
        "tier": Tier.FAST,
        "epoch": CLUSTER.committee.epoch.digest,
        "nonce": bytes(16),
        "audience": bytes(32),
        "left_ms": 1_000,
        "request": requests.encode(request()) if made is None else made,
    }
    return wire.encode(Ask(**(whole | fields)))


def message(data: bytes | None = None, member: str = LIAR, envelope: bytes = RECEIPT) -> bytes:
    """What a sidecar sends."""
    return shadow.sign(member, ask() if data is None else data, envelope, SESSION)


def read(data: bytes, member: str = LIAR, now: datetime = NOW) -> str:
    """The pod whose it is, as ``member`` verifies it."""
    return shadow.verify(shadow.decode(data), member, CLUSTER.history, now).pod_uid


@pytest.mark.requirement("committee: what a quarantined member is shown is good nowhere else")
def test_what_one_member_is_shown_is_no_other_members() -> None:
    """Nor for another ask, nor under another key, nor with another's name put in."""
    data = message()
    assert read(data) == receipts.POD_UID
    one = shadow.decode(data)
    for name in ("m0", "m1", "m2", "m3"):
        with pytest.raises(QuorateError):
            read(data, name)
        with pytest.raises(QuorateError):
            read(wire.encode(msgspec.structs.replace(one, member=name)), name)
    for changed in (
        msgspec.structs.replace(one, ask=ask(nonce=bytes([1] * 16))),
        msgspec.structs.replace(one, signature=bytes(64)),
        msgspec.structs.replace(one, receipt=CLUSTER.receipt("m0")),
        msgspec.structs.replace(one, receipt=CLUSTER.receipt("m0", LIAR)),
    ):
        with pytest.raises(QuorateError):
            read(wire.encode(changed))
    with pytest.raises(QuorateError):
        read(shadow.sign(LIAR, ask(), RECEIPT, session_key()))
    with pytest.raises(QuorateError):
        read(data, now=NOW + timedelta(hours=1))


def test_a_receipt_of_before_the_quarantine_is_enough() -> None:
    """The liar's signature on it counts no more; one honest member's does, and there is one."""
    cluster = Cluster()
    envelope = cluster.receipt("m0", "m1", "m2", LIAR)
    cluster.quarantine(LIAR)
    found = shadow.verify(shadow.decode(message(envelope=envelope)), LIAR, cluster.history, NOW)
    assert found.pod_uid == receipts.POD_UID


def test_what_is_no_such_message_is_refused() -> None:
    """Nonsense, cut off, another version, too large."""
    for data in (b"", b"x", message()[:-1], wire.encode(wire.Abstention(1, "no"))):
        with pytest.raises(InvalidInput):
            shadow.decode(data)
    with pytest.raises(LimitExceeded):
        shadow.decode(bytes(SHADOW_BYTES + 1))


class Votes:
    """Votes for everything, in the epoch of CLUSTER."""

    def __init__(self) -> None:
        self.epoch: Epoch = CLUSTER.committee.epoch
        self.asked: list[bytes] = []
        self.targets: list[Target] = []
        self.store_broken = ""

    async def ask(self, data: bytes, target: Target) -> bytes:
        self.asked.append(data)
        self.targets.append(target)
        return wire.encode(CLUSTER.committee.vote(LIAR))

    def drain(self) -> None:
        """Nothing."""


class Known:
    """The history that a member verifies receipts with."""

    history = CLUSTER.history


class Now:
    """The time of all fakes."""

    def now(self) -> datetime:
        return NOW


class Desk:
    """What answers at one member."""

    def __init__(self, member: str = LIAR) -> None:
        self.votes, self.time, self.reads = Votes(), 0.0, 0
        known: Any = Known()
        self.asks = ShadowAsks(self.votes, member, known, Now(), lambda: self.time)

    async def answer(self, data: bytes) -> str:
        """``vote``, or the reason of an abstention."""

        async def read() -> bytes:
            self.reads += 1
            return data

        said = wire.decode_answer(await self.asks.answer(read))
        return said.reason if isinstance(said, Abstention) else "vote"


async def test_a_member_under_quarantine_votes_in_shadow() -> None:
    """About exactly what was asked; a freeze would cover it by its own word."""
    desk = Desk()
    assert await desk.answer(message()) == "vote"
    assert desk.votes.asked == [ask()]


@pytest.mark.requirement("committee: a shadow vote can never become an approval")
async def test_whose_vote_counts_answers_nothing_in_shadow() -> None:
    """Not even its body is read, and no other epoch's ask is voted on."""
    for name in ("m0", "m9"):
        desk = Desk(name)
        assert await desk.answer(message(member=name)) == "VoteCounts"
        assert (desk.reads, desk.votes.asked) == (0, [])
    desk = Desk()
    before = CLUSTER.history.recent[0]
    assert await desk.answer(message(ask(epoch=before.digest))) == "OtherEpoch"
    desk.votes.epoch = before
    assert await desk.answer(message(ask(epoch=before.digest))) == "VoteCounts"
    assert desk.votes.asked == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"x", "Malformed"),
        (ask(b"{}"), "RequestMalformed"),
        (
            ask(requests.encode(request(capability="admission", action_class="certify"))),
            "CertifyNotAsked",
        ),
        (
            ask(
                requests.encode(
                    request(
                        principal=msgspec.structs.replace(
                            PRINCIPAL, manifest_digest=f"sha256:{'9' * 64}"
                        )
                    )
                )
            ),
            "OtherManifest",
        ),
        (
            ask(
                requests.encode(
                    request(
                        principal=msgspec.structs.replace(
                            PRINCIPAL, policy_digests=(f"sha256:{'9' * 64}",)
                        )
                    )
                )
            ),
            "OtherPolicies",
        ),
    ],
    # What is asked differs from run to run, and is no name for a test.
    ids=("malformed", "no request", "certifies", "manifest", "policies"),
)
async def test_what_is_not_the_pods_own_is_abstained_from(data: bytes, reason: str) -> None:
    """As far as the receipt says anything of it."""
    desk = Desk()
    assert await desk.answer(message(data)) == reason
    assert desk.votes.asked == []


async def test_strangers_are_refused_and_pods_are_bounded() -> None:
    """Without a receipt nobody makes it judge; with one, a hundred times in ten seconds."""
    desk = Desk()
    for data in (shadow.sign(LIAR, ask(), RECEIPT, session_key()), message(member="m0")):
        with pytest.raises(Unauthenticated):
            await desk.answer(data)
    for _ in range(shadow_asks.ASKS_PER_WINDOW):
        assert await desk.answer(message()) == "vote"
    with pytest.raises(TooManyRequests):
        await desk.answer(message())


async def test_who_cannot_vote_abstains(monkeypatch: pytest.MonkeyPatch) -> None:
    """No store, or no answer in time."""
    known: Any = Known()
    asks = ShadowAsks(None, LIAR, known, Now(), lambda: 0.0)

    async def read() -> bytes:
        return message(ask(left_ms=0))

    assert b"NotVoting" in await asks.answer(read)
    monkeypatch.setattr(shadow_asks, "LATE_SECONDS", 0.0)
    desk = Desk()

    async def never(data: bytes, target: Target) -> bytes:
        await asyncio.Event().wait()
        return b""

    monkeypatch.setattr(desk.votes, "ask", never)
    assert await desk.answer(message(ask(left_ms=0))) == "AnswerLate"
