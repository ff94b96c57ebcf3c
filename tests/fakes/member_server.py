"""A member's HTTPS server that answers what a test has it answer."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.consensus.epoch import Epoch
from quorate.consensus.thresholds import PRESETS
from quorate.genesis import encode, first_epoch
from quorate.keys import LocalSigner
from quorate_consensus.epochs import Epochs
from quorate_io import member_api, tls
from quorate_io.authority import issue_leaf, make_authority
from quorate_io.member_api import GenesisAnswer
from tests.fakes.vouching import model_files, seats

BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
KEY = ed25519.Ed25519PrivateKey.generate()
GENESIS = first_epoch("cluster-1", seats([LocalSigner(KEY)]), PRESETS["dev"])
FILES = model_files()
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def manifest(request: web.Request) -> web.Response:
    """The manifest of FILES, whatever was asked for."""
    return web.json_response(FILES.document)


@dataclass
class FakeMember:
    """Serves a genesis, and ``answer`` to everything else; records the tokens it sees."""

    answer: Answer = manifest
    name: str = "member"
    key: ed25519.Ed25519PrivateKey = KEY
    leaf_key: ed25519.Ed25519PrivateKey | None = None
    host: str = "127.0.0.1"
    port: int = 0
    tokens: list[str] = field(default_factory=list)
    bootstraps: int = 0
    stall: bool = False
    """Answers nothing any more."""
    genesis: Epoch = GENESIS
    epochs: Epochs | None = None
    """Serves the chain that it has; none of it if None."""

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve while the block runs; gives the URL."""
        root = make_authority(self.name, self.key, not_before=BEGINNING)
        pem = root.public_bytes(serialization.Encoding.PEM).decode()
        self._pem = pem
        signer = self.leaf_key or self.key
        issuer = make_authority(self.name, signer, not_before=BEGINNING)
        life = timedelta(hours=1)
        leaf = issue_leaf(issuer, signer, [self.host], now=datetime.now(UTC), life=life)
        context = tls.server_context()
        tls.use_certificate(context, leaf.certificate_pem, leaf.key_pem)
        runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, self.host, self.port, ssl_context=context).start()
        self.port = runner.addresses[0][1]
        try:
            yield f"https://{self.host}:{self.port}"
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.stall:
            await asyncio.sleep(30)
        if "Authorization" in request.headers:
            self.tokens.append(request.headers["Authorization"])
        if request.path == member_api.GENESIS_PATH:
            self.bootstraps += 1
            return web.Response(body=self._answer(int(request.query.get("after", "0"))))
        assert isinstance(request, web.BaseRequest)
        return await self.answer(request)  # type: ignore[arg-type]

    def _answer(self, after: int) -> bytes:
        chain = self.epochs.after(after) if self.epochs is not None else ()
        document = json.loads(encode(self.genesis))
        answer = GenesisAnswer(genesis=document, chain=tuple(chain), ca_certificates=(self._pem,))
        return member_api.encode(answer)
