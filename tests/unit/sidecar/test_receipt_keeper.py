"""The sidecar's receipt: asked for in time, believed only if it is its own, recorded, renewed."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from quorate import receipt
from quorate.audit.records import ReceiptTaken
from quorate.certificate import PolicyRef
from quorate.consensus.history import History
from quorate.consensus.thresholds import PRESETS
from quorate.errors import QuorateError, Unavailable
from quorate.receipt import ReceiptPolicy, ReceiptStatement, RequestStatement
from quorate_io.member_api import ErrorBody
from quorate_io.member_channel import MemberRefused
from quorate_sidecar.audit_log import AuditLog
from quorate_sidecar.audit_writer import AuditWriter, Owner, audit_files
from quorate_sidecar.metrics import Metrics
from quorate_sidecar.receipt_keeper import ReceiptKeeper
from quorate_sidecar.refusal import Code
from quorate_sidecar.standing import Standing
from tests.fakes.receipts import session_key
from tests.fakes.signing_epochs import Cluster
from tests.fakes.vouching import SERVER_DIGEST, Committee
from tests.unit.sidecar.world import MODEL, OTHER, Hands, state

REFUSED = MemberRefused(403, ErrorBody(reason="ReceiptDenied", message="GateFailed: it failed"))
SILENT = Unavailable("no member answered")


class Member:
    """Issues what is asked, as changed by the test; or answers with an error."""

    def __init__(self, clock: Hands) -> None:
        self.committee, self.clock = Committee(), clock
        self.changes: dict[str, Any] = {}
        self.error: QuorateError | None = None
        self.signers = list(self.committee.keys)
        self.answer: bytes | None = None
        self.asked: list[RequestStatement] = []
        self.life = timedelta(minutes=15)
        self.known = self.newest = self.committee.history
        self.followed = False

    async def history(self, *, newer: bool = False) -> History:
        """The epochs that are known; all of them, once it is asked for newer ones."""
        self.followed = self.followed or newer
        return self.newest if self.followed else self.known

    async def receipt(self, request: bytes) -> bytes:
        """The receipt that was asked for."""
        now = self.clock.now()
        asked = receipt.verify_request(request, self.committee.cluster_id, now)
        self.asked.append(asked)
        if self.error is not None:
            raise self.error
        return self.answer or receipt.issue(self._statement(asked, now), list(self.signers))

    def _statement(self, asked: RequestStatement, now: datetime) -> ReceiptStatement:
        fields: dict[str, Any] = {
            "cluster_id": asked.cluster_id,
            "epoch": self.committee.genesis.digest_text,
            "pod_uid": asked.pod_uid,
            "node_uid": "node-uid-1",
            "image_digests": (SERVER_DIGEST,),
            "manifest_digest": asked.manifest_digest,
            "policies": (
                ReceiptPolicy(
                    PolicyRef("ClusterSafetyPolicy", None, "floor"),
                    f"sha256:{'7' * 64}",
                    f"sha256:{'8' * 64}",
                ),
            ),
            "session_key": asked.session_key,
            "issued_at": now,
            "expires_at": now + self.life,
        }
        return ReceiptStatement(**(fields | self.changes))


class Desk:
    """A measured pod with a state, and its keeper."""

    def __init__(self) -> None:
        self.clock = Hands()
        self.standing = Standing(
            self.clock,
            state=state(),
            measured=MODEL.digest,
            port=8000,
            monotonic=self.clock.monotonic,
        )
        self.member = Member(self.clock)
        self.recorded: list[ReceiptTaken] = []
        self.said = ""
        self.keeper = ReceiptKeeper(
            self.member,
            self.standing,
            "uid-0",
            Metrics(CollectorRegistry()),
            self.recorded.append,
            self.say,
        )

    def say(self, text: str) -> None:
        """What the reporter is told last."""
        self.said = text

    def code(self) -> Code | None:
        """Why requests are refused."""
        refusal = self.standing.refusal()
        return refusal.code if refusal else None

    async def pass_time(self, seconds: int) -> None:
        """A look every second, with a state that is renewed."""
        for _ in range(seconds):
            self.clock.turn(seconds=1)
            minutes = self.clock.monotonic() / 60
            self.standing.accept(state(minutes))
            await self.keeper.look()


@pytest.fixture
def desk() -> Desk:
    """A pod without a receipt."""
    return Desk()


@pytest.mark.requirement("pod receipts: the sidecar serves only with one")
async def test_the_first_receipt_lets_it_serve(desk: Desk) -> None:
    """Absent: denied and not started. Taken: recorded, and requests pass."""
    assert desk.code() is Code.RECEIPT_MISSING
    assert desk.standing.unstarted() == ["no receipt yet: it was not asked for yet"]
    await desk.keeper.look()
    assert desk.code() is None
    assert desk.standing.unready() == []
    (record,) = desk.recorded
    assert desk.standing.receipt is not None
    assert record.receipt_digest == desk.standing.receipt.digest
    assert record.certificate_ids == (f"sha256:{'8' * 64}",)
    assert desk.standing.receipt_expiry() == (desk.clock.at + timedelta(minutes=15)).timestamp()


async def test_an_unmeasured_or_denied_pod_asks_for_none(desk: Desk) -> None:
    """There is nothing to ask for, or the answer is known."""
    desk.standing.measured = ""
    await desk.keeper.look()
    desk.standing.measured = MODEL.digest
    desk.standing.deny("GateFailed", "it failed")
    await desk.keeper.look()
    assert desk.member.asked == []
    assert desk.standing.receipt is None


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "another pod": ({"pod_uid": "uid-1"}, "is for pod uid-1"),
    "another key": ({"session_key": session_key().public_key.pem}, "another session key"),
    "another model": ({"manifest_digest": OTHER.digest}, f"for model {OTHER.digest}"),
    "another cluster": ({"cluster_id": "cluster-2"}, "of cluster cluster-2"),
}


@pytest.mark.parametrize("whose", OTHERS)
@pytest.mark.requirement("pod receipts: another pod's, another key's: DENY with distinct reasons")
async def test_receipts_of_others_are_not_believed(desk: Desk, whose: str) -> None:
    """Genuine and fresh, and still not this sidecar's: unready, with the reason."""
    desk.member.changes, words = OTHERS[whose]
    await desk.keeper.look()
    refusal = desk.standing.refusal()
    assert refusal is not None
    assert (refusal.status, refusal.code) == (503, Code.RECEIPT_INVALID)
    assert words in refusal.message
    assert words in desk.standing.unready()[0]
    assert desk.recorded == []


async def test_a_receipt_of_a_newer_epoch_is_a_reason_to_follow(desk: Desk) -> None:
    """The committee changed since the sidecar looked: it asks for the epochs, and serves."""
    cluster = Cluster(PRESETS["dev"])
    known = cluster.history
    cluster.rotate()
    member = desk.member
    member.known, member.newest = known, cluster.history
    member.signers = [cluster.committee.parties["m0"].identity]
    member.changes = {"epoch": cluster.epoch}
    await desk.keeper.renew()
    assert member.followed
    assert desk.standing.receipt is not None


async def test_a_receipt_of_an_epoch_that_nobody_knows(desk: Desk) -> None:
    """Asked once more, and refused with the reason."""
    desk.member.changes = {"epoch": f"sha256:{'0' * 64}"}
    await desk.keeper.renew()
    assert desk.member.followed
    assert desk.standing.receipt is None
    assert "not known" in desk.standing.receipt_problem


async def test_a_receipt_that_nobody_signed_or_that_is_old(desk: Desk) -> None:
    """A stranger's signature, nonsense, one that has expired."""
    desk.member.signers = [session_key()]
    await desk.keeper.renew()
    assert "accepted keys signed" in desk.standing.receipt_problem
    desk.member.answer = b"{}"
    await desk.keeper.renew()
    assert "must have payloadType" in desk.standing.receipt_problem
    desk.member.answer, desk.member.signers = None, list(desk.member.committee.keys)
    ago = desk.clock.at - timedelta(minutes=20)
    desk.member.changes = {"issued_at": ago, "expires_at": ago + timedelta(minutes=15)}
    await desk.keeper.renew()
    assert "expired" in desk.standing.receipt_problem
    assert desk.code() is Code.RECEIPT_INVALID


async def test_an_older_receipt_does_not_replace_a_newer_one(desk: Desk) -> None:
    """A replay of an answer cannot bring back what was."""
    await desk.keeper.renew()
    held = desk.standing.receipt
    desk.member.changes = {"issued_at": desk.clock.at - timedelta(minutes=5)}
    desk.member.life = timedelta(minutes=9)
    await desk.keeper.renew()
    assert desk.standing.receipt is held
    assert "older" in desk.standing.receipt_problem
    assert desk.code() is None


@pytest.mark.requirement("pod receipts: renewed at 60 % of life with jitter")
async def test_renewed_at_sixty_per_cent(desk: Desk) -> None:
    """The second request comes between 54 and 66 % of the life, for many pods at many times."""
    moments = set()
    for _ in range(20):
        one = Desk()
        await one.keeper.look()
        await one.pass_time(485)
        assert len(one.member.asked) == 1
        while len(one.member.asked) < 2:
            await one.pass_time(1)
        moments.add(one.clock.monotonic())
    assert min(moments) >= 485
    assert max(moments) <= 595
    assert len(moments) > 5
    keys = {asked.session_key for asked in one.member.asked}
    assert len(keys) == 1


@pytest.mark.requirement("a control plane away for 4 minutes fails no request")
async def test_four_minutes_without_a_member(desk: Desk) -> None:
    """Whenever it goes away, and however the renewals fell: every request passes."""
    for begin in (0, 400, 594):
        one = Desk()
        await one.keeper.look()
        await one.pass_time(begin)
        one.member.error = SILENT
        for _ in range(240):
            await one.pass_time(1)
            assert one.code() is None
        one.member.error = None
        await one.pass_time(12)
        assert one.standing.receipt_problem == ""


@pytest.mark.requirement("a FAILED gate stops a model's pods through their receipts")
async def test_a_denied_renewal_ends_at_the_receipts_end(desk: Desk) -> None:
    """The member's reason is answered once the receipt is over; an alert comes before."""
    await desk.keeper.look()
    desk.member.error = REFUSED
    await desk.pass_time(719)
    assert (desk.code(), desk.said) == (None, "")
    await desk.pass_time(2)
    assert "was not renewed: ReceiptDenied: GateFailed: it failed" in desk.said
    await desk.pass_time(178)
    assert desk.code() is None
    await desk.pass_time(1)
    assert desk.code() is Code.RECEIPT_EXPIRED
    assert "GateFailed: it failed" in desk.standing.unready()[0]
    desk.member.error = None
    await desk.pass_time(12)
    assert (desk.code(), desk.said) == (None, "")


async def test_a_failing_member_is_not_flooded(desk: Desk) -> None:
    """Pauses grow to ten seconds."""
    desk.member.error = SILENT
    await desk.pass_time(120)
    assert 10 <= len(desk.member.asked) <= 25
    assert desk.code() is Code.RECEIPT_MISSING
    assert "no member answered" in desk.standing.unstarted()[0]


async def test_changed_policies_ask_at_once(desk: Desk) -> None:
    """A receipt of the old policies serves on, and is replaced without waiting for its time."""
    await desk.keeper.look()
    desk.clock.turn(seconds=10)
    desk.standing.accept(state(1, policy_digests=(f"sha256:{'6' * 64}",)))
    await desk.keeper.look()
    assert len(desk.member.asked) == 2
    assert desk.code() is None


async def test_receipts_that_end_soon_are_not_asked_for_in_a_loop(desk: Desk) -> None:
    """One that a certificate ends in a second is followed by a pause."""
    desk.member.life = timedelta(seconds=1)
    for _ in range(10):
        await desk.keeper.look()
        desk.clock.turn(milliseconds=100)
    assert len(desk.member.asked) == 1


@pytest.mark.requirement("pod receipts: the session key and the receipt are in memory only")
async def test_each_start_has_a_key_of_its_own(desk: Desk) -> None:
    """What was issued to the process before is another key's to the one after."""
    await desk.keeper.look()
    again = Desk()
    again.member.committee = desk.member.committee
    again.member.changes = {"session_key": desk.member.asked[0].session_key}
    again.member.signers = list(desk.member.committee.keys)
    await again.keeper.look()
    assert again.code() is Code.RECEIPT_INVALID


@pytest.mark.requirement("the receipt's digest is recorded in the audit log")
async def test_receipts_are_recorded_before_they_count(desk: Desk, tmp_path: Path) -> None:
    """A record when it is taken; if the log cannot be written, the next file says it first."""
    owner = Owner("team-a", "chat-0", "uid-0", f"sha256:{'1' * 64}")
    directory = tmp_path / "audit"
    writer = AuditWriter(directory, owner, desk.clock)
    log = AuditLog(writer, desk.standing, Metrics(CollectorRegistry()))
    keeper = ReceiptKeeper(
        desk.member,
        desk.standing,
        "uid-0",
        Metrics(CollectorRegistry()),
        log.take_receipt,
        desk.say,
    )
    await keeper.look()
    assert desk.code() is Code.AUDIT
    log.open()
    assert desk.code() is None
    (file,) = audit_files(directory)
    kinds = [line.split(b'"kind":"')[1].split(b'"')[0] for line in file.read_bytes().splitlines()]
    assert kinds == [b"head", b"receipt"]
    assert desk.standing.receipt is not None
    assert desk.standing.receipt.digest.encode() in file.read_bytes()
    log.close()


async def test_it_keeps_looking(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task goes on, whatever the member answers."""
    monkeypatch.setattr("quorate_sidecar.receipt_keeper.FIRST_TICK", 0.01)
    desk.member.error = SILENT
    task = asyncio.create_task(desk.keeper.run())
    async with asyncio.timeout(5):
        while not desk.member.asked:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        desk.member.error = None
        desk.clock.turn(seconds=10)
        while desk.standing.receipt is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    task.cancel()


@pytest.mark.requirement("receipts carry q signatures of members")
async def test_a_request_names_a_whole_second(desk: Desk) -> None:
    """The receipt begins with it, and all members must sign the same: none of them rounds."""
    desk.clock.at += timedelta(microseconds=123_456)
    await desk.keeper.look()
    (asked,) = desk.member.asked
    assert (asked.issued_at.microsecond, asked.expires_at.microsecond) == (0, 0)
    assert desk.clock.at - asked.issued_at == timedelta(microseconds=123_456)
