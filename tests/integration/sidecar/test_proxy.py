"""The proxy between a client and a scripted model server, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from tests.integration.sidecar.stand import (
    CHAT,
    DONE,
    POLICY,
    Stand,
    answers,
    chat,
    chunk,
    completion,
    sends,
    stand,
    streamed,
    text_of,
)
from tests.unit.sidecar import samples

SECRET = samples.secrets()["github-token"]
WORDS = {"content": "one two three four "}
MAIL = samples.PII["email"]


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Stand]:
    """A proxy and its model server."""
    async with stand(tmp_path) as found:
        yield found
        assert found.report().intact
        await until(lambda: found.capacity.requests == 0)
        assert found.capacity.body_bytes == 0


async def until(true: Callable[[], bool]) -> None:
    """Wait shortly for something that another task does."""
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not happen in time")


def error(answer: Any) -> tuple[str, str]:
    """Code and message of an error answer."""
    return answer["error"]["code"], answer["error"]["message"]


async def test_answer_passes(proxy: Stand) -> None:
    """A good request reaches the model as its typed form, and its answer comes back."""
    status, answer = await proxy.post(chat("Hello", temperature=0.5))
    assert status == 200
    assert answer["choices"][0]["message"]["content"] == "Hello there"
    assert json.loads(proxy.bodies[0]) == chat("Hello", temperature=0.5)
    assert proxy.seen[0].headers["Host"] == "127.0.0.1"
    opened, closed = proxy.records()
    assert (opened["kind"], closed["kind"], closed["outcome"]) == ("open", "close", "released")
    assert opened["policyDigests"] == [POLICY]
    assert opened["id"] == closed["id"] == proxy.seen[0].headers["X-Request-Id"]
    assert proxy.metric(
        "quorate_sidecar_requests_total", path=CHAT, outcome="released", code=""
    ) == 1  # fmt: skip


async def test_connection_to_the_model_is_used_again(proxy: Stand) -> None:
    """One request after the other goes over one connection, also behind a refused answer."""
    for _ in range(2):
        assert (await proxy.post(chat()))[0] == 200
    proxy.script = answers(completion(f"The key is {SECRET}."))
    assert (await proxy.post(chat()))[0] == 403
    proxy.script = answers(completion("Hello"))
    assert (await proxy.post(chat()))[0] == 200
    assert len({id(request.protocol) for request in proxy.seen}) == 1
    assert len(proxy.seen) == 4


@pytest.mark.requirement("sidecar: a planted credential in the prompt is refused")
async def test_credential_in_the_prompt_never_reaches_the_model(proxy: Stand) -> None:
    """The request ends at the sidecar, with a reason and a record."""
    status, answer = await proxy.post(chat(f"my key is {SECRET}"))
    code, message = error(answer)
    assert (status, code) == (403, "ContentDenied")
    assert "github-token" in message
    assert answer["error"]["request_id"].startswith("req_")
    assert proxy.seen == []
    (record,) = proxy.records()
    assert (record["kind"], record["code"]) == ("deny", "ContentDenied")
    assert SECRET not in json.dumps(proxy.records())


@pytest.mark.requirement("sidecar: a credential in the answer is refused, 0 bytes of it released")
async def test_credential_in_the_answer_never_leaves(proxy: Stand) -> None:
    """A whole answer with a credential is replaced by the refusal."""
    proxy.script = answers(completion(f"The key is {SECRET}."))
    status, answer = await proxy.post(chat())
    assert (status, error(answer)[0]) == (403, "ContentDenied")
    assert SECRET not in json.dumps(answer)
    assert proxy.records()[-1]["outcome"] == "denied"
    assert proxy.records()[-1]["releasedBytes"] == 0


@pytest.mark.parametrize("size", [1, 3, 7, 40])
@pytest.mark.requirement("sidecar: a credential split over chunks of the answer is refused")
async def test_credential_split_over_chunks_never_leaves(proxy: Stand, size: int) -> None:
    """However the stream is cut: 0 bytes of it leave, and the client is told by an error event."""
    text = f"The key is {SECRET} as you know."
    proxy.script = sends(streamed([text[at : at + size] for at in range(0, len(text), size)]))
    status, events = await proxy.stream(chat())
    assert status == 200
    assert text_of(events) == "The key is "
    last = json.loads(events.strip().splitlines()[-1][6:])
    assert last["error"]["code"] == "ContentDenied"
    assert "[DONE]" not in events
    closed = proxy.records()[-1]
    assert (closed["outcome"], closed["code"]) == ("denied", "ContentDenied")
    assert closed["coverage"][0]["released"] == len("The key is ")


async def test_personal_data_is_masked_in_a_stream(proxy: Stand) -> None:
    """Masking happens on the way; the stream goes on."""
    proxy.script = sends(streamed(["Write to ", MAIL[:7], MAIL[7:], " or wait."]))
    _, events = await proxy.stream(chat())
    assert text_of(events) == "Write to [masked:pii] or wait."
    assert events.endswith("data: [DONE]\n\n")
    closed = proxy.records()[-1]
    assert closed["outcome"] == "released"
    assert closed["checks"][1]["findings"] == {"email": 1}


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (answers(b"not json"), "ModelAnswerNotUnderstood"),
        (answers(completion("x", surprise=1)), "ModelAnswerNotUnderstood"),
        (
            answers(completion("x"), 200, **{"Content-Type": "text/html"}),
            "ModelAnswerNotUnderstood",
        ),
        (answers(b"x" * 1_000_001), "ResponseTooLarge"),
        (answers({"error": {"message": "boom"}}, 500), "ModelServerError"),
        (answers({}, 302, Location="http://evil.test/"), "ModelServerError"),
        (sends(streamed(["x"])), "ModelAnswerNotUnderstood"),
    ],
)
@pytest.mark.requirement("sidecar: an answer that is not understood is not released")
async def test_bad_answers_are_refused(proxy: Stand, script: Any, code: str) -> None:
    """Each with its own reason, and a close record."""
    proxy.script = script
    status, answer = await proxy.post(chat())
    assert status >= 500
    assert error(answer)[0] == code
    assert proxy.records()[-1]["outcome"] in ("failed", "denied")
    assert len(proxy.seen) == 1


@pytest.mark.parametrize(
    "events",
    [
        [chunk(WORDS), b"data: {broken\n\n", DONE],
        [chunk(WORDS), b"data: \xff\n\n", DONE],
        [chunk(WORDS)],
        [chunk(WORDS), chunk({"surprise": 1}), DONE],
    ],
    ids=["malformed", "not-utf8", "no-end", "unknown-field"],
)
@pytest.mark.requirement("sidecar: a broken stream ends in a clean error")
async def test_broken_streams_end_with_an_error_event(proxy: Stand, events: list[bytes]) -> None:
    """What was decided stays valid; then one error event, and the end."""
    proxy.script = sends(events)
    status, out = await proxy.stream(chat())
    assert status == 200
    assert text_of(out) == "one two "
    last = json.loads(out.strip().splitlines()[-1][6:])
    assert last["error"]["code"] == "ModelAnswerNotUnderstood"
    assert proxy.records()[-1]["outcome"] == "failed"


async def test_model_server_that_dies_in_mid_stream(proxy: Stand) -> None:
    """A connection that breaks is an error event too."""

    async def dies(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(chunk({"content": "one two "}))
        await asyncio.sleep(0.05)
        assert request.transport is not None
        request.transport.abort()
        return response

    proxy.script = dies
    _, out = await proxy.stream(chat())
    assert "ModelServerError" in out
    assert "[DONE]" not in out


@pytest.mark.requirement("sidecar: a client that leaves stops the model")
async def test_client_that_leaves_stops_the_model(proxy: Stand) -> None:
    """Its connection to the model server is closed, and the record says interrupted."""
    stopped = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                await response.write(chunk({"content": "word "}))
                await asyncio.sleep(0.01)
        finally:
            stopped.set()

    proxy.script = endless
    body = {**chat(), "stream": True}
    async with proxy.session.post(f"{proxy.url}{CHAT}", json=body) as answer:
        await answer.content.readany()
        answer.close()
    await asyncio.wait_for(stopped.wait(), 5)
    await until(lambda: len(proxy.records()) == 2)
    closed = proxy.records()[-1]
    assert (closed["outcome"], closed["code"]) == ("interrupted", "ClientLeft")
    assert closed["releasedBytes"] > 0


async def test_client_that_leaves_before_the_answer(proxy: Stand) -> None:
    """Also while the model is still thinking."""
    started, stopped = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()
        return web.Response()

    proxy.script = slow
    task = asyncio.ensure_future(proxy.post(chat()))
    await asyncio.wait_for(started.wait(), 5)
    task.cancel()
    await until(lambda: len(proxy.records()) == 2)
    assert proxy.records()[-1]["outcome"] == "interrupted"


@pytest.mark.requirement("sidecar: every lapse and denial denies, with its reason")
async def test_denials_and_lapses_are_answered(proxy: Stand) -> None:
    """A denial is 403, a lapse 503; nothing reaches the model; probes go on."""
    proxy.standing.deny("Revoked", "the certificate was revoked")
    status, answer = await proxy.post(chat())
    assert (status, *error(answer)) == (403, "PolicyDenied", "Revoked: the certificate was revoked")
    proxy.standing.denial = None
    proxy.standing.foreign = ["a foreign listener on 0.0.0.0:8000"]
    status, answer = await proxy.post(chat())
    assert (status, error(answer)[0]) == (503, "ForeignListener")
    proxy.standing.foreign = []
    proxy.clock.at += timedelta(minutes=11)
    status, answer = await proxy.post(chat())
    assert (status, error(answer)[0]) == (503, "StateExpired")
    assert proxy.seen == []
    async with proxy.session.get(f"{proxy.url}/health") as probe:
        assert probe.status == 200
    assert len(proxy.records()) == 3


@pytest.mark.requirement("sidecar: declared probe paths pass, and nothing else")
async def test_probes_and_metrics_pass(proxy: Stand) -> None:
    """Status, body and media type come through; other headers and methods do not."""

    async def healthy(request: web.Request) -> web.StreamResponse:
        assert request.path_qs in ("/health", "/ready?full=1", "/metrics")
        assert "Authorization" not in request.headers
        headers = {"X-Secret": SECRET, "Set-Cookie": "a=b"}
        return web.Response(status=503, text="loading", headers=headers)

    proxy.script = healthy
    for path in ("/health", "/ready?full=1", "/metrics"):
        async with proxy.session.get(
            f"{proxy.url}{path}", headers={"Authorization": "Bearer x"}
        ) as probe:
            assert (probe.status, await probe.text()) == (503, "loading")
            assert probe.content_type == "text/plain"
            assert not {"X-Secret", "Set-Cookie"} & set(probe.headers)
    async with proxy.session.head(f"{proxy.url}/health") as probe:
        assert (probe.status, await probe.read()) == (503, b"")
    for path in ("/", "/healthz", "/health/", "/docs", "/v1/responses"):
        async with proxy.session.get(f"{proxy.url}{path}") as other:
            assert other.status == 404
            assert error(json.loads(await other.read()))[0] == "PathNotAllowed"
    assert len(proxy.seen) == 4
    assert proxy.records() == []


async def test_models_embeddings_and_completions_pass(proxy: Stand) -> None:
    """The other three paths of the API."""
    model = {"id": "demo", "object": "model", "created": 1, "owned_by": "me"}
    proxy.script = answers({"object": "list", "data": [model]})
    async with proxy.session.get(f"{proxy.url}/v1/models") as answer:
        assert (await answer.json())["data"] == [model]
    vector = {"object": "embedding", "index": 0, "embedding": [0.5]}
    proxy.script = answers({"object": "list", "data": [vector], "model": "demo"})
    status, body = await proxy.post({"model": "demo", "input": ["a"]}, "/v1/embeddings")
    assert (status, body["data"]) == (200, [vector])
    choice = {"index": 0, "text": "x", "finish_reason": "stop", "logprobs": None}
    head = {"id": "c", "object": "text_completion", "created": 1, "model": "demo"}
    proxy.script = answers({**head, "choices": [choice]})
    status, body = await proxy.post({"model": "demo", "prompt": "a"}, "/v1/completions")
    assert (status, body["choices"]) == (200, [choice])


async def test_large_bodies_are_checked_in_a_thread(proxy: Stand) -> None:
    """Beyond the offload size the decision is the same."""
    text = "the quick brown fox " * 20_000
    proxy.script = answers(completion(text))
    status, answer = await proxy.post(chat(text))
    assert (status, answer["choices"][0]["message"]["content"]) == (200, text)
    status, _ = await proxy.post(chat(text + SECRET))
    assert status == 403


async def test_bounds_of_the_policy(proxy: Stand) -> None:
    """Size and rate are the policy's; changes take effect with the next state."""
    status, answer = await proxy.post(b"x" * 1_000_001)
    assert (status, error(answer)[0]) == (413, "RequestTooLarge")
    chunked = aiohttp.payload.AsyncIterablePayload(_pieces(1_100_000))
    async with proxy.session.post(
        f"{proxy.url}{CHAT}", data=chunked, headers={"Content-Type": "application/json"}
    ) as refused:
        assert refused.status == 413
    state = proxy.standing.state
    assert state is not None
    rules = msgspec.structs.replace(state.rules, requests_per_minute=2)
    proxy.standing.state = type(state)(
        rules, state.manifest_digest, state.policy_digests, state.issued_at, state.expires_at
    )
    statuses = [(await proxy.post(chat()))[0] for _ in range(4)]
    assert statuses == [200, 200, 429, 429]


async def _pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1000):
        yield b"x" * 1000


async def test_model_server_that_is_down_is_said(tmp_path: Path) -> None:
    """503 with what to check, and a retry."""
    async with stand(tmp_path) as proxy:
        await proxy.stop_model()
        async with proxy.session.post(f"{proxy.url}{CHAT}", json=chat()) as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"]
            code, message = error(await answer.json())
        assert code == "ModelServerUnreachable"
        assert "--host 127.0.0.1" in message


@pytest.mark.requirement("audit: nothing leaves without a record")
async def test_full_audit_volume_denies(proxy: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room for the open record nothing is sent; without room for the close record nothing
    is released; when there is room again, requests pass and the chain is whole."""

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("quorate_sidecar.audit_writer.os.write", full)
        status, answer = await proxy.post(chat())
        assert (status, error(answer)[0]) == (503, "AuditUnavailable")
        assert proxy.seen == []
        status, _ = await proxy.post(chat())
        assert status == 503
    proxy.audit.open()
    assert (await proxy.post(chat()))[0] == 200

    async def fills(request: web.Request) -> web.StreamResponse:
        monkeypatch.setattr("quorate_sidecar.audit_writer.os.write", full)
        return web.json_response(completion("Hello"))

    proxy.script = fills
    status, answer = await proxy.post(chat())
    assert (status, error(answer)[0]) == (503, "AuditUnavailable")
    monkeypatch.undo()
    proxy.audit.open()


async def test_draining_refuses_new_and_finishes_old(proxy: Stand) -> None:
    """A stream that began goes on to its end; a new request is sent elsewhere."""
    proxy.script = sends(streamed(["one ", "two ", "three "]), pause=0.05)
    running = asyncio.ensure_future(proxy.stream(chat()))
    await until(lambda: proxy.capacity.requests == 1)
    proxy.standing.draining = True
    status, answer = await proxy.post(chat())
    assert (status, error(answer)[0]) == (503, "Draining")
    _, events = await running
    assert text_of(events) == "one two three "


async def test_many_at_once_stay_apart(proxy: Stand) -> None:
    """Concurrent requests get their own answers, and every one has its two records."""

    async def echo(request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        await asyncio.sleep(0.01)
        return web.json_response(completion(body["messages"][0]["content"]))

    proxy.script = echo
    texts = [f"number {n}" for n in range(60)]
    found = await asyncio.gather(*(proxy.post(chat(text)) for text in texts))
    assert [body["choices"][0]["message"]["content"] for _, body in found] == texts
    assert len(proxy.records()) == 120
    assert proxy.report().interrupted == ()
