"""The HTTPS server: bounds on size, time and connections; draining; nothing but reviews."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from quorate import limits
from quorate.admission.injection import Pod
from quorate_io.clock import SystemClock
from quorate_io.tls import ServingCertificate
from quorate_webhook import review, server
from quorate_webhook.answer import Answer
from quorate_webhook.review import World
from quorate_webhook.server import WebhookServer
from tests.bench.webhook.tls import write_certificate
from tests.unit.admission.pod_builder import PodBuilder
from tests.unit.admission.world import World as Cluster
from tests.unit.webhook.requests import UID, NoPods, SomePods, binding, encode, request

CLUSTER = Cluster()
REVIEW = encode(request(PodBuilder(CLUSTER.snapshot).bare()))
HEADERS = {"Content-Type": "application/json"}


class Meter:
    """Remembers what was answered."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, str, str]] = []

    def reviewed(self, path: str, answer: Answer, seconds: float) -> None:
        assert seconds >= 0
        self.answers.append((path, answer.decision, answer.reason))


class Running:
    """A server on loopback."""

    def __init__(self, deadline: float = 1.0) -> None:
        self.pods: review.PodLookup = NoPods()
        self.not_ready = ""
        self.meter = Meter()
        self.server = WebhookServer(self.world, SystemClock(), self.meter, deadline)
        self.port = 0

    def world(self) -> World:
        return World(CLUSTER.snapshot, self.pods, NoPods(), self.not_ready)

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        self.port = await self.server.listen("127.0.0.1", 0, context)

    async def raw(self, text: bytes, *, until_end: bool = False) -> bytes:
        """Send bytes, return what comes back."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(text)
        found = await (reader.read() if until_end else reader.read(65_536))
        writer.close()
        return found


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    found = Running()
    await found.start()
    yield found
    await found.server.close()


def head(length: int, path: str = review.VALIDATE, method: str = "POST") -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def answered(raw: bytes) -> dict[str, Any]:
    status, _, body = raw.partition(b"\r\n\r\n")
    assert status.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
    found: dict[str, Any] = json.loads(body)["response"]
    return found


async def test_a_review_is_answered(running: Running) -> None:
    """One POST, one answer, counted by path, decision and reason."""
    found = answered(await running.raw(head(len(REVIEW)) + REVIEW))
    assert (found["uid"], found["allowed"]) == (UID, False)
    assert running.meter.answers == [(review.VALIDATE, "denied", "NoPolicySelectsPod")]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/", HEADERS, 404),
        ("POST", "/v1/validate/", HEADERS, 404),
        ("POST", "//v1/validate", HEADERS, 404),
        ("GET", review.VALIDATE, HEADERS, 405),
        ("POST", review.VALIDATE, {"Content-Type": "text/plain"}, 415),
        ("POST", review.VALIDATE, HEADERS | {"Content-Encoding": "gzip"}, 415),
    ],
)
async def test_what_is_no_review_is_an_http_error(
    running: Running, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """A call that the API server would not make fails as a call, which denies under Fail."""
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{running.port}{path}"
        async with session.request(method, url, data=REVIEW, headers=headers) as response:
            assert response.status == status


@pytest.mark.parametrize("split", [1, 100, 3000])
async def test_a_body_in_pieces_is_put_together(running: Running, split: int) -> None:
    """However the bytes arrive."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    message = head(len(REVIEW)) + REVIEW
    cut = len(message) - split
    writer.write(message[:cut])
    await asyncio.sleep(0.02)
    writer.write(message[cut:])
    assert answered(await reader.read(65_536))["uid"] == UID
    writer.close()


async def test_a_chunked_body_is_read(running: Running) -> None:
    """Without a length the bound holds all the same, and the review is answered."""
    start = head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(REVIEW), REVIEW)
    assert answered(await running.raw(start + chunks))["uid"] == UID


def grown(size: int) -> bytes:
    """The review with a long annotation, as many bytes in all."""
    document = request(PodBuilder(CLUSTER.snapshot).bare())
    document["request"]["object"]["metadata"]["annotations"] = {"x": ""}
    fill = size - len(encode(document))
    document["request"]["object"]["metadata"]["annotations"] = {"x": "a" * fill}
    return encode(document)


@pytest.mark.requirement("a 5 MiB AdmissionReview: answered, no crash")
async def test_a_large_review_is_judged(running: Running) -> None:
    """Five MiB are judged like any."""
    body = grown(5 * limits.MIB)
    found = answered(await running.raw(head(len(body)) + body))
    assert found["status"]["message"].startswith("NoPolicySelectsPod")


@pytest.mark.requirement("bad input: huge → DENY")
@pytest.mark.parametrize("path", [review.VALIDATE, review.MUTATE])
async def test_a_larger_one_is_refused_unread(running: Running, path: str) -> None:
    """Beyond the bound, validate refuses with the uid from the beginning, and hangs up."""
    length = limits.REVIEW_BYTES + 1
    raw = await running.raw(head(length, path) + REVIEW[:2000], until_end=True)
    assert b"Connection: close" in raw
    found = answered(raw)
    assert found["uid"] == UID
    assert found["allowed"] is (path == review.MUTATE)


async def test_a_larger_one_without_a_length_is_refused(running: Running) -> None:
    """Chunks do not get around the bound."""
    start = head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(start + b"%x\r\n%b\r\n" % (2000, REVIEW[:2000]))
    chunk = b"%x\r\n%b\r\n" % (limits.MIB, b"a" * limits.MIB)
    for _ in range(9):
        writer.write(chunk)
    found = answered(await reader.read(65_536))
    assert found["status"]["message"].startswith("Malformed: the review has more than")
    writer.close()


@pytest.mark.requirement("an internal deadline answers DENY")
async def test_a_body_that_does_not_come_is_refused_in_time() -> None:
    """The answer is a refusal before the API server's own time-out."""
    found = Running(deadline=0.1)
    await found.start()
    raw = await found.raw(head(len(REVIEW)) + REVIEW[:-1])
    response = answered(raw)
    assert response["status"]["message"].startswith("DeadlineExceeded: no answer within 0.1")
    # Without it the API server would show its own complaint about the uid, and not the reason.
    assert response["uid"] == UID
    raw = await found.raw(head(len(REVIEW), review.MUTATE) + REVIEW[:-1])
    assert answered(raw)["allowed"]
    await found.server.close()


@pytest.mark.requirement("an internal deadline answers DENY")
async def test_a_review_that_finds_no_room_is_refused_by_name() -> None:
    """Its body was never taken; what has arrived of it still says which review it is."""
    found = Running(deadline=0.1)
    await found.start()
    async with found.server._budget.taking(server.BODY_BYTES_MAX):
        response = answered(await found.raw(head(len(REVIEW)) + REVIEW[:-1]))
    assert response["uid"] == UID
    assert response["status"]["message"].startswith("DeadlineExceeded")
    await found.server.close()


async def test_a_review_that_waited_too_long_is_refused() -> None:
    """Work that nobody waits for any more is not done; the refusal carries the uid."""
    found = Running(deadline=0.0)
    await found.start()
    response = answered(await found.raw(head(len(REVIEW)) + REVIEW))
    assert response["uid"] == UID
    assert response["status"]["message"].startswith("DeadlineExceeded")
    await found.server.close()


async def test_bodies_share_a_bound(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """While others fill the memory that bodies may take, the next one waits, and is answered."""
    budget = running.server._budget
    body = grown(limits.MIB)
    async with budget.taking(server.BODY_BYTES_MAX):
        asked = asyncio.create_task(running.raw(head(len(body)) + body))
        await asyncio.sleep(0.1)
        assert not asked.done()
    assert answered(await asked)["uid"] == UID
    assert budget.used == 0


async def test_a_connection_is_kept_for_the_next_review(running: Running) -> None:
    """Many reviews on one connection, as the API server sends them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    for _ in range(5):
        writer.write(head(len(REVIEW)) + REVIEW)
        raw = await reader.read(65_536)
        assert answered(raw)["uid"] == UID
        assert b"Connection: close" not in raw
    writer.close()


async def test_a_client_may_ask_to_close(running: Running) -> None:
    """Who says that this is the last request gets the end of the connection."""
    asked = head(len(REVIEW)).replace(b"Host: x", b"Host: x\r\nConnection: close")
    raw = await running.raw(asked + REVIEW, until_end=True)
    assert b"Connection: close" in raw


@pytest.mark.requirement("graceful drain")
async def test_draining_answers_and_sends_clients_away(running: Running) -> None:
    """From SIGTERM on every answer still comes, and says not to come back here."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    running.server.drain()
    writer.write(head(len(REVIEW)) + REVIEW)
    raw = await reader.read()
    assert b"Connection: close" in raw
    assert answered(raw)["uid"] == UID
    writer.close()


async def test_what_is_being_read_is_answered_at_the_end(running: Running) -> None:
    """Closing waits for a review that has begun to arrive."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(head(len(REVIEW)) + REVIEW[:-1])
    await asyncio.sleep(0.05)
    running.server.drain()
    closing = asyncio.create_task(running.server.close())
    await asyncio.sleep(0.05)
    writer.write(REVIEW[-1:])
    assert answered(await reader.read(65_536))["uid"] == UID
    writer.close()
    await closing


async def test_connections_are_bounded(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """One connection too many is closed at once; the others are served."""
    monkeypatch.setattr(server, "CONNECTIONS_MAX", 2)
    streams = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(3)]
    await asyncio.sleep(0.05)
    assert await streams[2][0].read() == b""
    streams[0][1].write(head(len(REVIEW)) + REVIEW)
    assert answered(await streams[0][0].read(65_536))["uid"] == UID
    for _, writer in streams:
        writer.close()


@pytest.mark.parametrize(
    "text",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"POST /v1/validate HTTP/1.1\r\n\r\n",
        b"POST /v1/validate HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/validate HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /v1/validate HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
    ids=["TLS on HTTP", "words", "no host", "negative", "two lengths", "long header"],
)
async def test_what_is_no_http_does_not_hurt(
    running: Running, text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A 400 or a closed connection; the next client is served."""
    raw = await running.raw(text, until_end=True)
    assert not raw or raw.startswith((b"HTTP/1.0 4", b"HTTP/1.1 4"))
    assert answered(await running.raw(head(len(REVIEW)) + REVIEW))["uid"] == UID


async def test_a_binding_waits_a_moment_for_its_pod(running: Running) -> None:
    """The scheduler may be faster than our watch: the pod that comes meanwhile is judged."""
    pods: dict[tuple[str, str], Pod] = {}
    running.pods = SomePods(pods)
    body = encode(request(binding(), sub_resource="binding"))
    asked = asyncio.create_task(running.raw(head(len(body)) + body))
    await asyncio.sleep(0.1)
    pods["team-a", "chat-5d4c-x1"] = PodBuilder(CLUSTER.snapshot).bare()
    found = answered(await asked)
    assert found["status"]["message"].startswith("NoPolicySelectsPod")


async def test_a_binding_of_a_pod_that_never_comes_is_refused(running: Running) -> None:
    """The wait has an end, well before the deadline."""
    body = encode(request(binding(), sub_resource="binding"))
    found = answered(await running.raw(head(len(body)) + body))
    assert found["status"]["message"].startswith("NotReady: pod team-a/chat-5d4c-x1")


@pytest.mark.requirement("certificate rotation under traffic → no failed request")
async def test_a_new_certificate_fails_no_request(tmp_path: Path) -> None:
    """Open connections go on; new ones see the new certificate."""
    first = write_certificate(tmp_path)
    serving = ServingCertificate(tmp_path / "tls.crt", tmp_path / "tls.key")
    found = Running()
    await found.start(serving.context)

    async def connect(pem: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = ssl.create_default_context(cadata=pem)
        return await asyncio.open_connection("127.0.0.1", found.port, ssl=context)

    reader, writer = await connect(first)
    for turn in range(2):
        pem = write_certificate(tmp_path) if turn else first
        serving.reload()
        writer.write(head(len(REVIEW)) + REVIEW)
        assert answered(await reader.read(65_536))["uid"] == UID
        newer_reader, newer = await connect(pem)
        newer.write(head(len(REVIEW)) + REVIEW)
        assert answered(await newer_reader.read(65_536))["uid"] == UID
        newer.close()
    writer.close()
    with pytest.raises(ssl.SSLError):
        await connect(first)
    await found.server.close()


async def test_it_says_on_its_own_port_whether_it_is_ready(running: Running) -> None:
    """The operator asks there: it may not reach the port for health."""
    ask = b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = await running.raw(ask, until_end=True)
    assert answer.startswith(b"HTTP/1.1 200 ")
    running.not_ready = "Pod: nothing heard for 121 s"
    answer = await running.raw(ask, until_end=True)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert answer.endswith(b"Pod: nothing heard for 121 s\n")
    assert running.meter.answers == []
