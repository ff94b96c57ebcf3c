"""May this pod serve now? Denials keep it Ready, lapses do not, and either denies every request."""

from datetime import timedelta

import pytest

from quorate_sidecar.refusal import Code
from quorate_sidecar.standing import Standing
from quorate_sidecar.state_keeper import StateKeeper
from tests.unit.sidecar.world import (
    DENIED,
    MODEL,
    OTHER,
    SILENT,
    START,
    Hands,
    Source,
    receipt,
    state,
)


def good() -> tuple[Standing, Hands]:
    """A standing with nothing against it."""
    clock = Hands()
    standing = Standing(
        clock, state=state(), measured=MODEL.digest, port=8000, monotonic=clock.monotonic
    )
    standing.take_receipt(receipt(), 900)
    return standing, clock


def code(standing: Standing) -> Code | None:
    """Why requests are refused."""
    refusal = standing.refusal()
    return refusal.code if refusal else None


def test_nothing_against_it_is_the_only_way_to_serve() -> None:
    """With a state, a measurement and a port, requests pass and the pod is ready."""
    standing, _ = good()
    assert standing.refusal() is None
    assert standing.unready() == standing.unstarted() == []


def test_unknown_is_no() -> None:
    """A sidecar that knows nothing serves nothing, and lists what is missing."""
    standing = Standing(Hands())
    assert code(standing) is Code.NOT_READY
    assert len(standing.unstarted()) == 4
    assert standing.unready() == standing.unstarted()


@pytest.mark.parametrize(
    ("lapse", "expected"),
    [
        ({"state": None}, Code.NOT_READY),
        ({"measured": ""}, Code.NOT_READY),
        ({"port": 0}, Code.NOT_READY),
        ({"measured": OTHER.digest}, Code.NOT_READY),
        ({"port": 8001}, Code.NOT_READY),
        ({"foreign": ["a foreign listener on 0.0.0.0:8000"]}, Code.FOREIGN_LISTENER),
        ({"changed": "written: model.safetensors"}, Code.MODEL_CHANGED),
        ({"unsure": "measured again"}, Code.MODEL_CHANGED),
        ({"audit_failure": "No space left on device"}, Code.AUDIT),
        ({"draining": True}, Code.DRAINING),
        ({"receipt_until": 0.0}, Code.RECEIPT_EXPIRED),
        ({"receipt_until": 0.0, "receipt": None}, Code.RECEIPT_MISSING),
        ({"receipt_until": 0.0, "receipt_invalid": True}, Code.RECEIPT_INVALID),
        ({"receipt_until": 0.0, "receipt": None, "receipt_invalid": True}, Code.RECEIPT_INVALID),
    ],
)
@pytest.mark.requirement("sidecar: a local lapse denies and makes the pod unready")
def test_lapse_denies_and_unreadies(lapse: dict[str, object], expected: Code) -> None:
    """Whatever is wrong with this pod: 503, a reason, and out of the Service."""
    standing, _ = good()
    for name, value in lapse.items():
        setattr(standing, name, value)
    refusal = standing.refusal()
    assert refusal is not None
    assert (refusal.status, refusal.code) == (503, expected)
    assert refusal.retry_after
    assert standing.unready()


@pytest.mark.requirement("sidecar: an expired state denies, at the instant it expires")
def test_expired_state_denies() -> None:
    """A control plane that is away fails no request before the expiry, and every one after."""
    standing, clock = good()
    clock.turn(minutes=10, seconds=-1)
    assert standing.refusal() is None
    clock.turn(seconds=1)
    assert code(standing) is Code.STATE_EXPIRED
    assert "expired at 2026-11-21T12:10:00" in standing.unready()[0]
    standing.accept(state(10))
    assert standing.refusal() is None


@pytest.mark.requirement("pod receipts: the sidecar serves only with one")
def test_receipt_ends_by_a_clock_that_nobody_sets() -> None:
    """Setting the time back does not lengthen a receipt; its end is exact, and a new one helps."""
    standing, clock = good()
    standing.take_receipt(receipt(), 300)
    clock.turn(seconds=299)
    assert standing.refusal() is None
    clock.turn(seconds=1)
    assert code(standing) is Code.RECEIPT_EXPIRED
    assert "the receipt expired at" in standing.unready()[0]
    standing.take_receipt(receipt(5), 1200)
    assert standing.refusal() is None


@pytest.mark.requirement("sidecar: a policy denial or a kill keeps the pod Ready and says why")
def test_denied_pod_without_receipt_stays_ready() -> None:
    """A denied pod gets no receipt: the answer is the denial, and the lapse shows after it."""
    standing, _ = good()
    standing.take_receipt(receipt(), 0)
    standing.deny("GateFailed", "the newest result failed")
    assert code(standing) is Code.POLICY
    assert standing.unready() == []
    assert standing.receipt_expiry() == 0
    standing.denial = None
    assert code(standing) is Code.RECEIPT_EXPIRED


@pytest.mark.requirement("sidecar: a policy denial or a kill keeps the pod Ready and says why")
def test_denial_denies_and_stays_ready() -> None:
    """The committee's no is an answer, not an outage."""
    standing, clock = good()
    standing.deny("Revoked", "the certificate was revoked")
    refusal = standing.refusal()
    assert refusal is not None
    assert (refusal.status, refusal.code) == (403, Code.POLICY)
    assert "Revoked: the certificate was revoked" in refusal.message
    assert standing.unready() == []
    # The last state expires meanwhile: the pod's own lapse shows beside the denial.
    clock.turn(minutes=11)
    assert code(standing) is Code.POLICY
    assert standing.unready() != []


@pytest.mark.requirement("sidecar: an older state does not replace a newer one, nor a denial")
def test_replayed_state_is_refused() -> None:
    """Whoever sits on the channel cannot bring back a looser policy or undo a denial."""
    standing, clock = good()
    assert standing.accept(state(5))
    assert not standing.accept(state(4))
    assert standing.state == state(5)
    clock.turn(minutes=8)
    standing.deny("Revoked", "no")
    assert not standing.accept(state(7))
    assert standing.denial is not None
    assert standing.accept(state(7.6))
    assert standing.denial is None


def test_repeated_denial_keeps_its_first_time() -> None:
    """Hearing the same denial again does not push its end away."""
    standing, clock = good()
    standing.deny("Revoked", "no")
    clock.turn(minutes=5)
    standing.deny("Revoked", "no")
    assert standing.denial is not None
    assert standing.denial.learnt_at == START
    standing.deny("Revoked", "for another reason")
    assert standing.denial.learnt_at == START + timedelta(minutes=5)


def test_message_of_a_foreign_listener_names_the_remedy() -> None:
    """The person who reads it knows what to change."""
    standing, _ = good()
    standing.foreign = ["a foreign listener on 0.0.0.0:8000"]
    refusal = standing.refusal()
    assert refusal is not None
    assert "--host 127.0.0.1" in refusal.message
    assert "OLLAMA_HOST=127.0.0.1" in refusal.message


async def test_keeper_writes_what_the_source_says() -> None:
    """States are taken, denials too, and silence changes nothing."""
    clock = Hands()
    standing = Standing(clock, measured=MODEL.digest, port=8000)
    source = Source(SILENT, state(), SILENT, DENIED, SILENT, state(5))
    keeper = StateKeeper(source, standing, "uid-0")
    await keeper.poll()
    assert (standing.state, keeper.failures) == (None, 1)
    assert "no member answered" in keeper.last_error
    await keeper.poll()
    await keeper.poll()
    assert (standing.state, keeper.failures) == (state(), 1)
    await keeper.poll()
    await keeper.poll()
    assert standing.denial is not None
    assert standing.denial.reason == "Revoked"
    await keeper.poll()
    assert standing.denial is None
    assert set(source.asked) == {"uid-0"}


async def test_first_state_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting waits for the first answer, of either kind, and not for ever."""
    monkeypatch.setattr("quorate_sidecar.state_keeper.RETRY_SECONDS", (0.01,))
    for answer in (state(), DENIED):
        standing = Standing(Hands())
        await StateKeeper(Source(SILENT, SILENT, answer), standing, "uid-0").first(5)
        assert (standing.state is None) == (answer is DENIED)
    standing = Standing(Hands())
    await StateKeeper(Source(SILENT), standing, "uid-0").first(0.05)
    assert standing.state is None
    assert standing.denial is None
