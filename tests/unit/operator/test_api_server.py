"""What the operator's client makes of answers: from a real HTTP server on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from aiohttp import web
from kubernetes.aio import client

from quorate.errors import Unavailable
from quorate_operator.effects import api_server
from quorate_operator.effects.api_server import ApiRefused, ApiServer, ApiUnavailable
from quorate_operator.kinds import CLAIM, POD, Key

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Server:
    """Answers every request with what a test says, and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str, str]] = []
        self.answer: Handler = self.nothing

    async def nothing(self, request: web.BaseRequest) -> web.StreamResponse:
        """An empty object."""
        return web.json_response({})

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Note the request and answer."""
        body = await request.text()
        kind = request.headers.get("Content-Type", "")
        self.requests.append((request.method, request.path_qs, kind, body))
        return await self.answer(request)


@pytest_asyncio.fixture
async def served() -> AsyncIterator[tuple[Server, ApiServer]]:
    """A server, and the operator's client of it."""
    server = Server()
    runner = web.ServerRunner(web.Server(server.handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    configuration = client.Configuration(host=f"http://{host}:{port}")
    configuration.api_key["BearerToken"] = "Bearer t"
    async with ApiServer(configuration) as api:
        yield server, api
    await runner.cleanup()


async def test_writes_say_who_writes_and_how(served: tuple[Server, ApiServer]) -> None:
    """Field manager and content type are what server-side apply and JSON patch need."""
    server, api = served
    await api.apply_status(CLAIM, Key(CLAIM.name, "n", "c"), {"a": 1})
    await api.patch(POD.path("n", "p"), [{"op": "test"}])
    (apply, patch) = server.requests
    path = "/api/v1/namespaces/n/persistentvolumeclaims/c/status"
    assert apply[:2] == ("PATCH", f"{path}?fieldManager=quorate-operator&force=true")
    assert apply[2] == "application/apply-patch+yaml"
    assert json.loads(apply[3]) == {"a": 1}
    assert patch[2] == "application/json-patch+json"


async def test_lists_are_read_page_by_page(served: tuple[Server, ApiServer]) -> None:
    """With the labels the kind asks for, until there is no further page."""
    server, api = served
    pages = iter([{"continue": "next"}, {}])

    async def page(request: web.BaseRequest) -> web.StreamResponse:
        name = f"p{len(server.requests)}"
        return web.json_response({"items": [{"name": name}], "metadata": next(pages)})

    server.answer = page
    assert [item["name"] async for item in api.list(POD)] == ["p1", "p2"]
    assert "labelSelector=quorate.dev/model" in server.requests[0][1]
    assert "continue=next" in server.requests[1][1]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, '{"reason":"NotFound","message":"no such"}', ApiRefused),
        (403, '{"reason":"Forbidden","message":"denied"}', ApiRefused),
        (409, "not JSON", ApiRefused),
        (429, '{"reason":"TooManyRequests"}', ApiUnavailable),
        (500, "{}", ApiUnavailable),
        (503, "<html>", ApiUnavailable),
        (200, "[]", ApiUnavailable),
        (200, "<html>", ApiUnavailable),
        (302, "", ApiRefused),
    ],
)
async def test_answers_become_errors_of_two_kinds(
    served: tuple[Server, ApiServer], status: int, body: str, error: type[Exception]
) -> None:
    """Refused, with its status; or unavailable, to be tried again. Nothing else gets out."""
    server, api = served

    async def fail(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status, text=body)

    server.answer = fail
    with pytest.raises(error) as caught:
        await api.get("/api/v1/x")
    if isinstance(caught.value, ApiRefused):
        assert caught.value.status == status


async def test_silence_is_unavailable(
    served: tuple[Server, ApiServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No call waits for longer than its bound."""
    monkeypatch.setattr(api_server, "TIMEOUT", 0.05)
    server, api = served

    async def hang(request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(0.5)
        return web.json_response({})

    server.answer = hang
    with pytest.raises(ApiUnavailable):
        await api.get("/api/v1/x")


async def test_nobody_there_is_unavailable() -> None:
    """A refused connection is no crash."""
    async with ApiServer(client.Configuration(host="http://127.0.0.1:9")) as api:
        with pytest.raises(ApiUnavailable):
            await api.get("/api/v1/x")


async def test_no_credentials_are_said_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """Outside a pod and without a kubeconfig there is a sentence, not a traceback."""
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/none")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(
        "kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", f"{tmp_path}/none"
    )
    with pytest.raises(Unavailable):
        await api_server.configuration()
