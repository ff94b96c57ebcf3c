"""Small parts of serving: who calls, how much at once, which certificate, which settings."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from quorate.consensus.thresholds import PRESETS
from quorate.errors import InvalidInput, QuorateError, SubjectMismatch
from quorate.genesis import first_epoch
from quorate.keys import LocalSigner
from quorate_consensus import auth, shedding
from quorate_consensus.auth import Authenticator
from quorate_consensus.failures import respond
from quorate_consensus.judging import Overloaded
from quorate_consensus.leaf import MemberCertificate
from quorate_consensus.settings import Address, parse_address, parse_arguments
from quorate_consensus.shedding import Lane, PodRate, Share, TooManyRequests
from quorate_consensus.vote_key import load_vote_key
from quorate_io.member_api import Failure
from tests.fakes.service_account import ISSUER, EcKey, claims, key_set, token
from tests.fakes.vouching import seats
from tests.unit.consensus.scene import ManualClock

KEY = ed25519.Ed25519PrivateKey.generate()
GENESIS = first_epoch("c", seats([LocalSigner(KEY)]), PRESETS["dev"])


def pem(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """A private key file."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def test_the_vote_key_belongs_to_a_member() -> None:
    """The genesis says whose it is."""
    assert load_vote_key(pem(KEY), GENESIS).seat.name == "member-0"


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (pem(ed25519.Ed25519PrivateKey.generate()), SubjectMismatch),
        (pem(ec.generate_private_key(ec.SECP256R1())), InvalidInput),
        (GENESIS.record.seats[0].key.encode(), InvalidInput),
        (b"", InvalidInput),
    ],
)
@pytest.mark.requirement("the member refuses to start if its key does not match the genesis")
def test_vote_keys_that_are_refused(key: bytes, error: type[QuorateError]) -> None:
    """A stranger's, one of another kind, a public one, none."""
    with pytest.raises(error):
        load_vote_key(key, GENESIS)


@pytest.fixture
def authenticator(tmp_path: Path) -> tuple[Authenticator, ManualClock, Path, EcKey]:
    """An authenticator with one pinned key."""
    key, clock, path = EcKey(), ManualClock(), tmp_path / "jwks.json"
    path.write_bytes(key_set(key))
    return Authenticator(path, ISSUER, clock), clock, path, key


Authenticated = tuple[Authenticator, ManualClock, Path, EcKey]


def test_a_remembered_token_still_expires(authenticator: Authenticated) -> None:
    """A token that was verified once is refused from the second it ends."""
    known, clock, _, key = authenticator
    good = token(key, claims())
    for _ in range(3):
        assert known.caller(good).pod_uid == "pod-uid-1"
    clock.advance(599)
    known.caller(good)
    clock.advance(1)
    with pytest.raises(QuorateError):
        known.caller(good)


def test_new_keys_forget_what_old_keys_signed(authenticator: Authenticated) -> None:
    """After the key file changed, a remembered token of a removed key no longer counts."""
    known, _, path, key = authenticator
    good = token(key, claims())
    known.caller(good)
    assert not known.reload()
    path.write_bytes(key_set(EcKey(kid="ec-2")))
    assert known.reload()
    with pytest.raises(QuorateError):
        known.caller(good)


@pytest.mark.parametrize("content", [b"", b"{}", b"x" * 300_000, None])
def test_a_bad_key_file_keeps_the_keys(authenticator: Authenticated, content: bytes | None) -> None:
    """It is an error at the start; later the keys in use stay, and the error is told."""
    known, _, path, key = authenticator
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInput):
        known.reload()
    known.caller(token(key, claims()))
    with pytest.raises(InvalidInput):
        Authenticator(path, ISSUER, ManualClock())


def test_remembered_tokens_are_bounded(
    authenticator: Authenticated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest goes; it is verified again when it comes back."""
    monkeypatch.setattr(auth, "REMEMBERED_MAX", 2)
    known, _, _, key = authenticator
    made = [token(key, claims(uid=f"u{n}")) for n in range(4)]
    assert [known.caller(t).pod_uid for t in [*made, made[0]]] == ["u0", "u1", "u2", "u3", "u0"]


def test_a_lane_is_as_wide_as_it_says() -> None:
    """One more is shed, and a place that was left can be taken."""
    lane = Lane("test", 2)
    with lane.enter():
        with lane.enter(), pytest.raises(Overloaded), lane.enter():
            pass
        with lane.enter():
            pass


def test_a_pods_share_comes_back() -> None:
    """Each pod has its own count, and a new one in the next window."""
    now = [0.0]
    rate = PodRate(lambda: now[0])
    for _ in range(shedding.REQUESTS_PER_WINDOW):
        rate.check("a")
    with pytest.raises(TooManyRequests):
        rate.check("a")
    rate.check("b")
    now[0] = shedding.WINDOW_SECONDS
    rate.check("a")


def test_the_leaf_is_renewed_under_the_same_authority() -> None:
    """A member that restarts shows the same authority; each leaf ends later than the last."""
    clock, vote_key = ManualClock(), load_vote_key(pem(KEY), GENESIS)
    life = timedelta(hours=24)
    name, key = vote_key.seat.name, vote_key.private
    first = MemberCertificate(name, key, ["a"], clock, life)
    end = first.not_after
    clock.advance(3600)
    first.renew()
    assert first.not_after - end == timedelta(hours=1)
    assert MemberCertificate(name, key, ["a"], clock, life).authority_pem == first.authority_pem


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":8443", Address(None, 8443)),
        ("127.0.0.1:1", Address("127.0.0.1", 1)),
        ("[::1]:65535", Address("::1", 65_535)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    """Host and port, or every address."""
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", ":", "8443", ":0", ":65536", ":-1", ":x", "a:1:", ":\uff11"])
def test_addresses_that_are_none(text: str) -> None:
    """Anything else is an error that shows it."""
    with pytest.raises(InvalidInput):
        parse_address(text)


def test_who_holds_all_its_places_takes_nobody_elses() -> None:
    """A caller has its share, all have theirs together, and what ends is free again."""
    share = Share("freeze", 3, 2)
    with share.enter("a"), share.enter("a"):
        with pytest.raises(Overloaded), share.enter("a"):
            pass
        with share.enter("b"):
            for caller in ("b", "c"):
                with pytest.raises(Overloaded), share.enter(caller):
                    pass
        with share.enter("c"):
            pass
    with share.enter("a"), share.enter("a"):
        pass


def test_settings_have_defaults() -> None:
    """The limits' lives, the fixed ports; but no name: each member has one of its own."""
    files = ["serve", "--genesis", "g", "--key", "k", "--token-keys", "t", "--issuer", "i"]
    settings = parse_arguments([*files, "--tls-name", "member-0.test"])
    assert (settings.certificate_life, settings.state_life) == (3600, 600)
    assert settings.tls_names == ("member-0.test",)
    with pytest.raises(SystemExit):
        parse_arguments(files)
    assert (settings.listen.port, settings.health.port) == (8443, 9902)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (InvalidInput("x" * 100_000), 400, Failure.MALFORMED),
        (Overloaded("busy"), 503, Failure.OVERLOADED),
        (TimeoutError(), 503, Failure.DEADLINE),
        (web.HTTPNotFound(), 404, Failure.NOT_FOUND),
        (web.HTTPRequestEntityTooLarge(1, 2), 413, Failure.MALFORMED),
        (RuntimeError("secret"), 500, Failure.INTERNAL),
    ],
)
def test_every_error_has_a_body(error: Exception, status: int, reason: Failure) -> None:
    """A reason, a bounded message, and nothing of what went wrong inside."""
    response = respond(error)
    assert isinstance(response.body, bytes)
    body = json.loads(response.body)
    assert (response.status, body["reason"]) == (status, reason)
    assert len(response.body) < 20_000
    assert "secret" not in body["message"]
