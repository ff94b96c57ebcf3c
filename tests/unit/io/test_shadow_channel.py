"""Asking in shadow: where, without a token, and within bounds; showing what speaks for a member."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from quorate.consensus import wire
from quorate.errors import Unavailable
from quorate_io import member_api
from quorate_io.clock import SystemClock
from quorate_io.committee_client import SHADOW_SUFFIX, CommitteeClient
from quorate_io.member_api import CleanRunKept, Failure, encode
from quorate_io.member_channels import MemberChannels
from tests.fakes.committee_servers import Answering, Servers, refusing
from tests.fakes.vouching import NOW
from tests.unit.operator.fake_api import FixedClock

PIN = f"sha256:{'1' * 64}"


async def kept(name: str, request: web.Request) -> web.StreamResponse:
    """It keeps the run."""
    return web.Response(body=encode(CleanRunKept(member="14", unsafe=1, safe=0)))


@pytest.fixture
async def reached(tmp_path: Path) -> AsyncIterator[tuple[Servers, CommitteeClient]]:
    """Five members, and a client whose template reaches them in shadow as well."""
    (tmp_path / "token").write_text("a.token.x")
    servers = Servers(kept)
    pin = servers.epochs.genesis.digest_text
    async with (
        servers.serving() as url,
        CommitteeClient(
            url,
            servers.names,
            pin,
            tmp_path / "token",
            clock=FixedClock(NOW),
            timeout=2.0,
            shadow_suffix="",
        ) as client,
    ):
        yield servers, client


@pytest.mark.requirement("committee: what a quarantined member is shown is good nowhere else")
async def test_it_is_shown_no_token(reached: tuple[Servers, CommitteeClient]) -> None:
    """The message, and nothing else that anybody could use; the answer as it came."""
    servers, client = reached
    seen: list[tuple[str, str, bool, bytes]] = []

    async def answer(name: str, request: web.Request) -> web.StreamResponse:
        seen.append((name, request.path, "Authorization" in request.headers, await request.read()))
        return web.Response(body=b"said", content_type=member_api.ASKS_TYPE)

    servers.tell(answer, "14")
    assert await client.shadow("14", b"asked") == b"said"
    assert seen == [("14", member_api.SHADOW_PATH, False, b"asked")]


async def moved(name: str, request: web.Request) -> web.StreamResponse:
    """Elsewhere."""
    raise web.HTTPTemporaryRedirect("/v1/asks")


async def large(name: str, request: web.Request) -> web.StreamResponse:
    """More than any vote."""
    return web.Response(body=bytes(wire.ANSWER_BYTES + 1))


@pytest.mark.parametrize("answering", [moved, large, refusing(Failure.UNAUTHENTICATED, status=401)])
async def test_what_is_no_answer_is_none(
    reached: tuple[Servers, CommitteeClient], answering: Answering
) -> None:
    """A redirect is not followed, and nothing is read without a bound."""
    servers, client = reached
    servers.tell(answering, "14")
    with pytest.raises(Unavailable):
        await client.shadow("14", b"asked")
    assert servers.asked == ["14"]


async def test_nobody_there_is_no_answer(tmp_path: Path) -> None:
    """Its own name leads nowhere, and one that is no part of a host's is not tried."""
    (tmp_path / "token").write_text("t")
    async with CommitteeClient(
        "https://127.0.0.1:1", (), PIN, tmp_path / "token", clock=FixedClock(NOW)
    ) as client:
        with pytest.raises(Unavailable, match="not known where"):
            await client.shadow("m1", b"")


def test_its_name_has_an_ending_of_its_own(tmp_path: Path) -> None:
    """The Service of that name leads to members that are not ready."""
    url = "https://quorate-{member}.quorate-system.svc:8443"
    channels = MemberChannels(url, ["member-1"], PIN, tmp_path, SystemClock())
    found = channels.url_of(f"member-1{SHADOW_SUFFIX}")
    assert found == "https://quorate-member-1-shadow.quorate-system.svc:8443"
    for host in ("", "a.b", "a/b", "a@b", "A", "-a", "x" * 64):
        with pytest.raises(Unavailable):
            channels.url_of(host)


async def test_more_than_may_lie_must_keep_a_run(
    reached: tuple[Servers, CommitteeClient],
) -> None:
    """Two of five; one alone could keep it back."""
    servers, client = reached
    servers.tell(refusing(Failure.EVIDENCE_REFUSED), "10", "11", "12")
    await client.show_run(b"run")
    servers.tell(refusing(Failure.EVIDENCE_REFUSED), "13")
    with pytest.raises(Unavailable, match="1 of 5 members answered"):
        await client.show_run(b"run")
