"""The floor: the webhook's own HTTP stack around a handler that decides nothing.

Runs in a pod of the webhook's image, from a ConfigMap. It adds the same patch as mutate to every
pod and allows every pod: what is left is what any webhook in this place would cost.
"""

import asyncio
import base64
import sys
from pathlib import Path

import msgspec
import uvloop
from aiohttp import web

from quorate_io.tls import ServingCertificate

PORT = 8443


class _Request(msgspec.Struct):
    uid: str


class _Review(msgspec.Struct):
    request: _Request


_DECODER = msgspec.json.Decoder(_Review)
_REVIEW = b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":'


async def serve(directory: Path, tls: Path) -> None:
    """Serve for ever; ``patch.json`` in ``directory`` is the patch."""
    certificate = ServingCertificate(tls / "tls.crt", tls / "tls.key")
    patch = base64.b64encode((directory / "patch.json").read_bytes())
    ends = {
        "/v1/mutate": b'"allowed":true,"patchType":"JSONPatch","patch":"' + patch + b'"}}',
        "/v1/validate": b'"allowed":true}}',
    }

    async def respond(request: web.BaseRequest) -> web.StreamResponse:
        uid = _DECODER.decode(await request.read()).request.uid
        body = _REVIEW + b'{"uid":' + msgspec.json.encode(uid) + b"," + ends[request.path]
        return web.Response(body=body, content_type="application/json")

    server = web.Server(respond, access_log=None)
    runner = web.ServerRunner(server)
    await runner.setup()
    listening = await asyncio.get_running_loop().create_server(
        server, "", PORT, ssl=certificate.context
    )
    await listening.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), Path(sys.argv[2])))
