"""Registries that do whatever would hurt who reads them, and count what they sent.

Each listens on a port of its own, so that what one is found to do says nothing of another.
"""

import asyncio
import contextlib
import gzip
import hashlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field

from quorate import limits
from quorate.api.v1alpha1.document_source import BUNDLE_TYPE, ENVELOPE_TYPE
from quorate.evidence.oci import EMPTY_TYPE, INDEX_TYPE, MANIFEST_TYPE

PIECE = b" " * limits.OCI_INDEX_BYTES
_ENDS = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
Answer = AsyncIterator[bytes]
Lie = Callable[[str], AsyncIterator[bytes]]
"""From the path that was asked for to the bytes of an answer, header included."""


def head(content_type: str = INDEX_TYPE, *more: str, status: str = "200 OK") -> bytes:
    """The beginning of an answer that ends with the connection."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", "Connection: close", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def descriptor(data: bytes, media_type: str, **more: object) -> dict[str, object]:
    """The descriptor of some bytes."""
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return {"mediaType": media_type, "digest": digest, "size": len(data)} | more


def index(entries: list[dict[str, object]]) -> bytes:
    """A list of referrers."""
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries}).encode()


def entry(number: int, kind: str, size: int = 512) -> dict[str, object]:
    """An entry that leads to nothing."""
    digest = f"sha256:{number:064x}"
    return {"mediaType": MANIFEST_TYPE, "digest": digest, "size": size, "artifactType": kind}


def both(count: int, size: int = 512) -> list[dict[str, object]]:
    """Entries for either kind of source."""
    kinds = (BUNDLE_TYPE, ENVELOPE_TYPE)
    return [entry(number, kinds[number % 2], size) for number in range(2 * count)]


async def endless_body(path: str) -> Answer:
    """A list that never ends."""
    yield head()
    while True:
        yield PIECE


async def vast_body(path: str) -> Answer:
    """One that says that it has two gigabytes, and has them."""
    yield head(INDEX_TYPE, f"Content-Length: {2**31}")
    for _ in range(2**31 // len(PIECE)):
        yield PIECE


async def endless_headers(path: str) -> Answer:
    """One whose header never ends."""
    yield b"HTTP/1.1 200 OK\r\n"
    line = b"X-More: " + b"x" * 4096 + b"\r\n"
    while True:
        yield line * 16


async def slow_drip(path: str) -> Answer:
    """One of a byte now and then."""
    yield head()
    while True:
        yield b" "
        await asyncio.sleep(0.2)


async def wrong_digests(path: str) -> Answer:
    """A list as it should be, of manifests that are something else."""
    size = limits.OCI_ARTIFACT_BYTES
    if "/referrers/" in path:
        yield head() + index(both(limits.DOCUMENTS_PER_SOURCE, size))
    else:
        yield head(MANIFEST_TYPE) + PIECE[:size]


CROWD = index(both(2_200))


async def thousands_of_referrers(path: str) -> Answer:
    """As many as the list has room for."""
    yield head() + CROWD


async def endless_pages(path: str) -> Answer:
    """A list that goes on elsewhere, for ever, with nothing that was asked for."""
    others = index([entry(number, "application/x-other") for number in range(300)])
    yield head(INDEX_TYPE, f'Link: <{path}>; rel="next"') + others


async def deep_json(path: str) -> Answer:
    """A list that would exhaust a parser's stack."""
    yield head() + b'{"manifests":' + b"[" * (limits.OCI_INDEX_BYTES - 20)


async def wide_json(path: str) -> Answer:
    """A list that takes thirty times its bytes when it is parsed."""
    body = (
        b'{"schemaVersion":2,"manifests":['
        + b"{}," * ((limits.OCI_INDEX_BYTES - 40) // 3)
        + b"{}]}"
    )
    yield head() + body


BOMB = gzip.compress(bytes(64 * limits.MIB)) * 15


async def compressed_bomb(path: str) -> Answer:
    """A gigabyte of zeros, as a browser would have them."""
    yield head(INDEX_TYPE, "Content-Encoding: gzip", f"Content-Length: {len(BOMB)}") + BOMB


async def redirects(path: str) -> Answer:
    """Sends on to where clouds keep credentials."""
    where = "Location: http://169.254.169.254/latest/meta-data"
    yield head("text/plain", where, status="307 Temporary Redirect")


def padded(subject: str, number: int) -> bytes:
    """A manifest as large as may be, of nothing but a bundle that nobody signed."""
    note = f"{subject}{number}"
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": (BUNDLE_TYPE, ENVELOPE_TYPE)[number % 2],
        "config": descriptor(b"{}", EMPTY_TYPE),
        "layers": [descriptor(json.dumps({"junk": note}).encode(), BUNDLE_TYPE)],
        "subject": {"mediaType": MANIFEST_TYPE, "digest": subject, "size": 2},
        "annotations": {"pad": "x" * (limits.OCI_ARTIFACT_BYTES - 2_048)},
    }
    return json.dumps(manifest).encode()


@dataclass
class Padded:
    """Tells the truth: thirty-two manifests of half a megabyte around bundles of nothing."""

    known: dict[str, tuple[str, int]] = field(default_factory=dict)

    async def __call__(self, path: str) -> Answer:
        """What is asked for, by its digest."""
        name = path.partition("?")[0].rpartition("/")[2]
        if "/referrers/" in path:
            entries = []
            for number in range(32):
                data = padded(name, number)
                kind = (BUNDLE_TYPE, ENVELOPE_TYPE)[number % 2]
                entries.append(descriptor(data, MANIFEST_TYPE, artifactType=kind))
                self.known[str(entries[-1]["digest"])] = (name, number)
                layer = json.dumps({"junk": f"{name}{number}"}).encode()
                digest = f"sha256:{hashlib.sha256(layer).hexdigest()}"
                self.known[digest] = (name, number)
            yield head() + index(entries)
        elif "/manifests/" in path and name in self.known:
            yield head(MANIFEST_TYPE) + padded(*self.known[name])
        elif name in self.known:
            subject, number = self.known[name]
            yield head("application/json") + json.dumps({"junk": f"{subject}{number}"}).encode()


@dataclass
class HostileRegistry:
    """One registry: what it does, where, and how much of it was taken."""

    name: str
    lie: Lie
    port: int = 0
    sent: int = 0

    @property
    def host(self) -> str:
        """``host:port`` as references name it."""
        return f"127.0.0.1:{self.port}"

    def at(self, place: str) -> str:
        """A reference into it that nobody else has."""
        return f"{self.host}/m/x@sha256:{hashlib.sha256(place.encode()).hexdigest()}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request for as long as somebody listens."""
        with contextlib.suppress(*_ENDS):
            request = await reader.readuntil(b"\r\n\r\n")
            path = request.split(b" ", 2)[1].decode()
            async for piece in self.lie(path):
                writer.write(piece)
                await writer.drain()
                self.sent += len(piece)
        writer.close()


@contextlib.contextmanager
def serving(registries: list[HostileRegistry]) -> Iterator[None]:
    """All of them on loopback, while the block runs."""
    loop, ready, ended = asyncio.new_event_loop(), Future[None](), asyncio.Event()

    async def serve() -> None:
        async with contextlib.AsyncExitStack() as stack:
            for registry in registries:
                server = await asyncio.start_server(registry.answer, "127.0.0.1", 0)
                await stack.enter_async_context(server)
                registry.port = server.sockets[0].getsockname()[1]
            ready.set_result(None)
            await ended.wait()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        ready.result(10)
        yield
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()
