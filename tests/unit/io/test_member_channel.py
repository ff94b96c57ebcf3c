"""The channel to one member, against members that restart, lie, stall and overflow.

The servers here are fakes, on real TLS and loopback; a real member is in tests/integration.
"""

import asyncio
import contextlib
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.errors import InvalidInput, QuorateError, SubjectMismatch, Unavailable
from quorate.manifest import Manifest
from quorate_io import member_api
from quorate_io.committee_client import CommitteeClient, MemberRefused
from quorate_io.member_api import ErrorBody, ObservedBatch
from quorate_io.operator_client import OperatorClient
from tests.fakes.member_server import FILES, GENESIS, Answer, FakeMember
from tests.fakes.vouching import model_files


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """A token as the kubelet projects it."""
    path = tmp_path / "token"
    path.write_text("first.token.x\n")
    return path


FOURTEEN = tuple("abcdefghijklmn")


def replace(path: Path, content: bytes | None) -> None:
    """Write the file anew, or take it away."""
    path.unlink()
    if content is not None:
        path.write_bytes(content)


def client(token_file: Path, url: str, digest: str = GENESIS.digest_text) -> CommitteeClient:
    """A client with a short patience."""
    return CommitteeClient(url, (), digest, token_file, timeout=0.5)


async def ask(url: str, token_file: Path) -> Manifest:
    """One question to one member."""
    async with client(token_file, url) as member:
        return await member.manifest(FILES.digest)


async def test_the_token_is_read_for_every_request(token_file: Path) -> None:
    """The kubelet replaces it; the member sees the new one. The bootstrap happens once."""
    fake = FakeMember()
    async with fake.serving() as url, client(token_file, url) as member:
        assert (await member.manifest(FILES.digest)).digest == FILES.digest
        replace(token_file, b"second.token.x")
        await member.manifest(FILES.digest)
    assert fake.tokens == ["Bearer first.token.x", "Bearer second.token.x"]
    assert fake.bootstraps == 1


@pytest.mark.requirement("only a verified member sees the token")
async def test_an_impostor_sees_no_token(token_file: Path) -> None:
    """It can replay the true genesis and authority, but has no leaf: the handshake fails."""
    fake = FakeMember(leaf_key=ed25519.Ed25519PrivateKey.generate())
    async with fake.serving() as url:
        with pytest.raises(Unavailable):
            await ask(url, token_file)
    assert fake.tokens == []


@pytest.mark.requirement("only a verified member sees the token")
async def test_a_member_of_another_genesis_sees_no_token(token_file: Path) -> None:
    """An authority that no pinned key signed is refused before the token is sent."""
    fake = FakeMember(key=ed25519.Ed25519PrivateKey.generate())
    async with fake.serving() as url:
        with pytest.raises(SubjectMismatch):
            await ask(url, token_file)
        async with client(token_file, url, digest=f"sha256:{'0' * 64}") as member:
            with pytest.raises(SubjectMismatch):
                await member.manifest(FILES.digest)
    assert fake.tokens == []


async def test_a_member_with_a_new_authority_is_met_again(token_file: Path) -> None:
    """Restarted with another certificate of the same key: bootstrapped anew, and answered."""
    old, new = FakeMember(), FakeMember(name="member after restart")
    async with old.serving() as url:
        member = client(token_file, url)
        await member.manifest(FILES.digest)
    new.port = old.port
    async with new.serving(), member:
        assert (await member.manifest(FILES.digest)).digest == FILES.digest
    assert (old.bootstraps, new.bootstraps) == (1, 1)


async def test_a_kept_connection_that_was_closed(token_file: Path) -> None:
    """A member that restarts between two requests costs no failure."""
    fake = FakeMember()
    async with fake.serving() as url:
        member = client(token_file, url)
        await member.manifest(FILES.digest)
    again = FakeMember(port=fake.port)
    async with again.serving(), member:
        await member.manifest(FILES.digest)


async def test_a_member_that_is_away(token_file: Path) -> None:
    """Nobody listens: Unavailable, at once."""
    async with client(token_file, "https://127.0.0.1:1") as member, asyncio.timeout(2):
        with pytest.raises(Unavailable, match="did not answer"):
            await member.manifest(FILES.digest)


async def redirect(request: web.Request) -> web.Response:
    """Point elsewhere."""
    return web.Response(status=302, headers={"Location": "https://127.0.0.1:1/"})


async def refuse(request: web.Request) -> web.Response:
    """An error body as a member writes it."""
    body = ErrorBody(reason="PodUnknown", message="who?", fix="wait")
    return web.Response(status=403, body=member_api.encode(body))


async def refuse_oddly(request: web.Request) -> web.Response:
    """An error of something between us and the member."""
    return web.Response(status=502, text="<html>bad gateway</html>")


async def overflow(request: web.Request) -> web.StreamResponse:
    """An answer that goes on long after the bound."""
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        for _ in range(500):
            await response.write(b" " * 65_536)
            await asyncio.sleep(0)
    return response


async def stall(request: web.Request) -> web.Response:
    """No answer in time."""
    await asyncio.sleep(30)
    return web.Response()


async def cut(request: web.Request) -> web.StreamResponse:
    """Half an answer."""
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"{")
    assert request.transport is not None
    request.transport.abort()
    return response


async def other_manifest(request: web.Request) -> web.Response:
    """A manifest that nobody asked for."""
    return web.json_response(model_files("1").document)


async def compressed(request: web.Request) -> web.Response:
    """An encoding nobody asked for."""
    return web.Response(body=b"\x1f\x8b\x08", headers={"Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (redirect, MemberRefused, "HTTP302"),
        (refuse, MemberRefused, "PodUnknown: who?"),
        (refuse_oddly, MemberRefused, "HTTP502"),
        (overflow, Unavailable, "more than"),
        (stall, Unavailable, "did not answer"),
        (cut, Unavailable, "did not answer"),
        (other_manifest, SubjectMismatch, "not sha256"),
        (compressed, InvalidInput, "not valid JSON"),
    ],
)
async def test_odd_answers(
    answer: Answer, error: type[QuorateError], text: str, token_file: Path
) -> None:
    """Each is an error of ours that says what happened, within the time-out."""
    async with FakeMember(answer).serving() as url, asyncio.timeout(5):
        with pytest.raises(error, match=text):
            await ask(url, token_file)


@pytest.mark.parametrize("content", [None, b"", b"\xff", b"x" * 20_000, b"two\nlines"])
async def test_a_token_file_that_holds_no_token(content: bytes | None, token_file: Path) -> None:
    """Missing, empty, huge or torn: Unavailable, and nothing is sent."""
    replace(token_file, content)
    fake = FakeMember()
    async with fake.serving() as url:
        with pytest.raises(Unavailable, match="token"):
            await ask(url, token_file)
    assert fake.tokens == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://a",
        "https://",
        "https://a/path",
        "a",
        "https://a:b",
        "https://u:p@a",
        "https://a?b",
        "https://a/{member}",
        "https://a:{member}",
        "{member}://a",
        "https://a#{member}",
        "https://a?{member}",
        "https://{member}.{member}",
    ],
)
def test_urls_that_cannot_be_meant(url: str, token_file: Path) -> None:
    """Anything but https://HOST[:PORT], with members in HOST alone, is refused at once."""
    with pytest.raises(InvalidInput):
        CommitteeClient(url, ("a",), GENESIS.digest_text, token_file)


@pytest.mark.parametrize(
    "members",
    [
        (),
        ("a", "a"),
        ("",),
        ("A",),
        ("a.b",),
        ("a/b",),
        ("-a",),
        ("x@y",),
        ("a" * 64,),
        tuple("abcdefghijklmn"),
    ],
)
def test_members_that_cannot_be_meant(members: tuple[str, ...], token_file: Path) -> None:
    """None at all, one twice, too many, and what is no label of a host's name."""
    with pytest.raises(InvalidInput):
        CommitteeClient("https://{member}", members, GENESIS.digest_text, token_file)


@pytest.mark.parametrize("digest", ["", "sha256:", "sha256:" + "A" * 64, "x" * 71])
def test_a_digest_that_pins_nothing(digest: str, token_file: Path) -> None:
    """A malformed pin is refused at once."""
    with pytest.raises(InvalidInput):
        client(token_file, "https://a", digest=digest)


async def test_a_large_batch_is_sent(token_file: Path) -> None:
    """A body of megabytes goes out whole."""
    seen: list[int] = []

    async def count(request: web.Request) -> web.Response:
        seen.append(len(await request.content.read()))
        return web.Response(body=b'{"session":"s","sequence":1,"ready":false}')

    batch = ObservedBatch(session="s", sequence=1, removed_pods=("x" * 200,) * 20_000)
    async with (
        FakeMember(count).serving() as url,
        OperatorClient(url, ("a",), GENESIS.digest_text, token_file) as operator,
    ):
        (member,) = operator.members()
        answer = await member.observe(batch)
    assert (answer.sequence, seen[0] > 4_000_000) == (1, True)
