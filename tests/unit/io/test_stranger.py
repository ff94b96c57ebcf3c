"""Which key somebody without a seat holds: proven by the connection, not by what it says."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from quorate.errors import Expired, QuorateError, SubjectMismatch, Unavailable
from quorate.keys import LocalSigner
from quorate_io import member_trust
from quorate_io.authority import make_authority
from quorate_io.clock import SystemClock
from quorate_io.member_api import GenesisAnswer
from quorate_io.stranger import identity_key
from tests.fakes.ballots import digest
from tests.fakes.member_server import BEGINNING, GENESIS, FakeMember

pytestmark = pytest.mark.requirement("self-healing: a spare proves which key it holds")
PIN = GENESIS.digest_text


async def test_the_key_is_the_one_that_its_tls_rests_on() -> None:
    """Of somebody that no epoch names; asked twice, the second time over what it showed; and it is
    shown no token."""
    key = ed25519.Ed25519PrivateKey.generate()
    spare = FakeMember(key=key)
    async with spare.serving() as url:
        assert await identity_key(url, PIN, 0, SystemClock()) == LocalSigner(key).public_key.pem
    assert (spare.bootstraps, spare.tokens) == (2, [])


async def test_who_shows_anothers_authority_proves_nothing() -> None:
    """It serves the authority of the spare's key, and has no leaf of it."""
    liar = ed25519.Ed25519PrivateKey.generate()
    async with FakeMember(leaf_key=liar).serving() as url:
        with pytest.raises(Unavailable, match="certificate"):
            await identity_key(url, PIN, 0, SystemClock())


async def test_another_name_is_somebody_else_unless_a_port_is_forwarded() -> None:
    """The host is compared where it says something."""
    spare = FakeMember()
    async with spare.serving():
        url = f"https://localhost:{spare.port}"
        with pytest.raises(Unavailable, match="certificate"):
            await identity_key(url, PIN, 0, SystemClock())
        found = await identity_key(url, PIN, 0, SystemClock(), forwarded=True)
    assert found == LocalSigner(spare.key).public_key.pem


async def test_another_genesis_and_nobody() -> None:
    """It waits for another committee's seat; or nothing is there, or no answer."""
    async with FakeMember().serving() as url:
        with pytest.raises(SubjectMismatch, match="genesis"):
            await identity_key(url, digest("0"), 0, SystemClock())
    with pytest.raises(Unavailable, match="did not answer"):
        await identity_key(url, PIN, 0, SystemClock())

    async def nonsense(request: web.BaseRequest) -> web.Response:
        return web.Response(body=b"\0" * 1000)

    member = FakeMember()
    member._handle = nonsense  # type: ignore[method-assign]
    async with member.serving() as url:
        with pytest.raises(QuorateError):
            async with asyncio.timeout(5):
                await identity_key(url, PIN, 0, SystemClock())


def answer(*pems: str) -> GenesisAnswer:
    """With these authorities."""
    return GenesisAnswer(genesis={}, chain=(), ca_certificates=pems)


def test_no_authority_of_an_identity_key() -> None:
    """None, two, a key of another kind, one that is not valid yet."""
    key = ed25519.Ed25519PrivateKey.generate()

    def pem(made: x509.Certificate) -> str:
        return made.public_bytes(serialization.Encoding.PEM).decode()

    good = pem(make_authority("m5", key, not_before=BEGINNING))
    other = pem(make_authority("m5", ec.generate_private_key(ec.SECP256R1()), not_before=BEGINNING))
    now = datetime.now(UTC)
    assert member_trust.stranger(answer(good), now)[1] == LocalSigner(key).public_key
    for bad in ((), (good, good), (good + good,), (other,), ("x",)):
        with pytest.raises(QuorateError):
            member_trust.stranger(answer(*bad), now)
    with pytest.raises(Expired):
        member_trust.stranger(answer(good), BEGINNING - timedelta(days=1))
