"""The floor: the same server around a handler that decides nothing and adds the same patch.

``python -m tests.bench.webhook.noop TLS_DIR ANSWER_DIR`` prints its port and serves until it ends.
"""

import asyncio
import sys
from pathlib import Path

import msgspec
import uvloop
from aiohttp import web

from quorate_io.tls import ServingCertificate


class _Request(msgspec.Struct):
    uid: str


class _Review(msgspec.Struct):
    request: _Request


_DECODER = msgspec.json.Decoder(_Review)


async def _serve(tls: Path, bodies: dict[str, bytes]) -> None:
    certificate = ServingCertificate(tls / "tls.crt", tls / "tls.key")

    async def respond(request: web.BaseRequest) -> web.StreamResponse:
        _DECODER.decode(await request.read())
        return web.Response(body=bodies[request.path], content_type="application/json")

    server = web.Server(respond, access_log=None)
    runner = web.ServerRunner(server)
    await runner.setup()
    listening = await asyncio.get_running_loop().create_server(
        server, "127.0.0.1", 0, ssl=certificate.context
    )
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


if __name__ == "__main__":
    answers = {f"/v1/{path.stem}": path.read_bytes() for path in Path(sys.argv[2]).iterdir()}
    uvloop.run(_serve(Path(sys.argv[1]), answers))
