"""A registry in this process that tells the truth, or whatever lie a test gives it.

It keeps what the distribution specification asks for: manifests, blobs, a list of referrers.
"""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from quorate.api.v1alpha1.document_source import BUNDLE_TYPE, ENVELOPE_TYPE
from quorate.evidence.image_signing.tagged import SIMPLE_SIGNING_TYPE
from quorate.evidence.oci import EMPTY_TYPE, INDEX_TYPE, MANIFEST_TYPE

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
REPOSITORY = "models/demo"


def digest(data: bytes) -> str:
    """The digest of some bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def descriptor(data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    """The descriptor of some bytes."""
    return {"mediaType": media_type, "digest": digest(data), "size": len(data)} | more


SUBJECT = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "layers": []}).encode()
SUBJECT_DIGEST = digest(SUBJECT)


@dataclass
class FakeRegistry:
    """What is in it, what it is asked, and its lies by path."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)
    asked: list[web.Request] = field(default_factory=list)
    lies: dict[str, Handler] = field(default_factory=dict)
    """By the beginning of the path: ``/v2/models/demo/blobs/…``."""
    lists: bool = True
    """Whether it has a list of referrers. Without one, entries are under the fallback tag."""
    port: int = 0

    @property
    def host(self) -> str:
        """``host:port`` as references name it."""
        return f"127.0.0.1:{self.port}"

    def reference(self, subject: str = SUBJECT_DIGEST) -> str:
        """A reference to what the documents are attached to."""
        return f"{self.host}/{REPOSITORY}@{subject}"

    def attach(
        self, document: str, artifact_type: str = ENVELOPE_TYPE, subject: str = SUBJECT_DIGEST
    ) -> str:
        """Attach a document; the digest of its manifest."""
        data = document.encode()
        self.blobs[digest(data)] = data
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "artifactType": artifact_type,
                "config": descriptor(b"{}", EMPTY_TYPE),
                "layers": [descriptor(data, artifact_type)],
                "subject": {"mediaType": MANIFEST_TYPE, "digest": subject, "size": len(SUBJECT)},
            }
        ).encode()
        self.manifests[digest(manifest)] = (MANIFEST_TYPE, manifest)
        self.entries.append(descriptor(manifest, MANIFEST_TYPE, artifactType=artifact_type))
        return digest(manifest)

    def sign(self, bundle: str) -> str:
        """Attach a signature."""
        return self.attach(bundle, BUNDLE_TYPE)

    def sign_by_tag(self, *layers: tuple[bytes, dict[str, str]], subject: str) -> str:
        """Put signatures under cosign's tag of an image, with annotations; the tag."""
        described = []
        for payload, annotations in layers:
            self.blobs[digest(payload)] = payload
            described.append(descriptor(payload, SIMPLE_SIGNING_TYPE, annotations=annotations))
        config = descriptor(b"{}", "application/vnd.oci.image.config.v1+json")
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config}
        tag = f"{subject.replace(':', '-')}.sig"
        data = json.dumps(manifest | {"layers": described}).encode()
        self.manifests[tag] = (MANIFEST_TYPE, data)
        return tag

    def index(self) -> bytes:
        """The list of referrers."""
        document = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": self.entries}
        return json.dumps(document).encode()

    def paths(self) -> list[str]:
        """What it was asked for, in order."""
        return [request.path.removeprefix(f"/v2/{REPOSITORY}/") for request in self.asked]

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator["FakeRegistry"]:
        """Serve on loopback while the block runs."""
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()

    def _application(self) -> web.Application:
        app = web.Application()
        app.router.add_route("GET", "/{path:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        for beginning, lie in self.lies.items():
            if request.path.startswith(beginning):
                return await lie(request)
        kind, _, name = request.path.removeprefix(f"/v2/{REPOSITORY}/").partition("/")
        if kind == "referrers" and self.lists:
            return web.Response(body=self.index(), content_type=INDEX_TYPE)
        if kind == "blobs" and name in self.blobs:
            return web.Response(body=self.blobs[name], content_type="application/octet-stream")
        if kind == "manifests" and name in self.manifests:
            media_type, data = self.manifests[name]
            return web.Response(body=data, content_type=media_type)
        if name == SUBJECT_DIGEST.replace(":", "-") and not self.lists and self.entries:
            return web.Response(body=self.index(), content_type=INDEX_TYPE)
        return web.Response(status=404, text="{}", content_type="application/json")


def says(status: int = 200, body: bytes = b"", headers: dict[str, str] | None = None) -> Handler:
    """A lie: this answer."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers)

    return answer


def drips(seconds: float = 0.02) -> Handler:
    """A lie: a byte now and then, for ever."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": INDEX_TYPE})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b" ")
                await asyncio.sleep(seconds)
        return response

    return answer


def pours(total: int, content_type: str = INDEX_TYPE) -> Handler:
    """A lie: this many bytes, without saying how many."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type})
        await response.prepare(request)
        piece = b" " * 65_536
        with contextlib.suppress(ConnectionError):
            for _ in range(total // len(piece)):
                await response.write(piece)
        return response

    return answer
