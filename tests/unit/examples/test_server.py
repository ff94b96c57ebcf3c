"""The demo server speaks the OpenAI chat API."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from demo_server.app import BODY_BYTES_MAX, ChatServer
from demo_server.engine import PIECE_CHARS_MAX, Engine
from demo_server.model import Model, Sampling
from demo_server.wire import PROMPT_CHARS_MAX, TOKENS_MAX

Client = TestClient[Request, Application]

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
RUNNING_MAX = 2
HELLO = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}


class ScriptedModel(Model):
    """Writes a fixed answer, slowly; everything else is the real model's."""

    answer = "One sentence, in a few words."
    pause_seconds = 0.0

    def generate(self, prompt: Sequence[int], sampling: Sampling) -> Iterator[int]:
        """Yields the answer, cut at the asked length."""
        written = [*self.tokenizer.text(self.answer)[1:], self.tokenizer.stop]
        for number in written[: sampling.tokens_max]:
            time.sleep(self.pause_seconds)
            yield number


@pytest.fixture
def model(model_dir: Path) -> ScriptedModel:
    """A model with a known answer."""
    loaded = ScriptedModel.load(model_dir)
    assert isinstance(loaded, ScriptedModel)
    return loaded


@pytest.fixture
def engine(model: ScriptedModel) -> Engine:
    """An engine that is quickly busy."""
    return Engine(model, threads=2, running_max=RUNNING_MAX)


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[Client]:
    """A client of a running server."""
    async with TestClient(TestServer(ChatServer(engine, name="demo").application())) as connected:
        yield connected


async def events(response: ClientResponse) -> list[Any]:
    """The events of a stream, which must end as the API says."""
    assert response.content_type == "text/event-stream"
    *lines, done, end = (await response.text()).split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    return [json.loads(line.removeprefix("data: ")) for line in lines]


async def test_chat(client: Client, model: ScriptedModel) -> None:
    """A whole answer: the message, why it ended, and what it cost."""
    response = await client.post(CHAT, json=HELLO)
    body = await response.json()
    assert response.status == 200
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["message"] == {"role": "assistant", "content": model.answer}
    assert body["choices"][0]["finish_reason"] == "stop"
    usage = body["usage"]
    assert usage["completion_tokens"] == len(model.answer) + 1
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


async def test_chat_stream(client: Client, model: ScriptedModel) -> None:
    """A stream: the role, the words in order, the reason, the usage if asked for, the end."""
    body = HELLO | {"stream": True, "stream_options": {"include_usage": True}}
    first, *words, last, usage = await events(await client.post(CHAT, json=body))
    assert {e["object"] for e in (first, *words, last, usage)} == {"chat.completion.chunk"}
    assert len({e["id"] for e in (first, *words, last, usage)}) == 1
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    pieces = [event["choices"][0]["delta"]["content"] for event in words]
    assert "".join(pieces) == model.answer
    assert len(pieces) > 3
    assert max(map(len, pieces)) <= PIECE_CHARS_MAX
    assert (last["choices"][0]["delta"], last["choices"][0]["finish_reason"]) == ({}, "stop")
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == len(model.answer) + 1


async def test_completion_stream(client: Client, model: ScriptedModel) -> None:
    """Plain text is continued in the older form; no usage unless asked for."""
    body = {"model": "demo", "prompt": "One", "stream": True}
    *words, last = await events(await client.post(TEXT, json=body))
    assert {event["object"] for event in words} == {"text_completion"}
    assert "".join(event["choices"][0]["text"] for event in words) == model.answer
    assert last["choices"][0]["finish_reason"] == "stop"
    assert "usage" not in last


async def test_a_short_answer_says_so(client: Client, model: ScriptedModel) -> None:
    """The asked length bounds an answer, whole or streamed, and is named as the reason."""
    for limit in ("max_tokens", "max_completion_tokens"):
        body = await (await client.post(CHAT, json=HELLO | {limit: 5})).json()
        assert body["choices"][0]["message"]["content"] == model.answer[:5]
        assert body["choices"][0]["finish_reason"] == "length"
        assert body["usage"]["completion_tokens"] == 5


async def test_text_parts_are_joined(client: Client) -> None:
    """A content in parts, as the openai package may send it, is read as one text."""
    parts = [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]
    split = HELLO | {"messages": [{"role": "user", "content": parts}]}
    usages = [(await (await client.post(CHAT, json=b)).json())["usage"] for b in (HELLO, split)]
    assert usages[0] == usages[1]


def chat(**fields: Any) -> bytes:
    """A request like HELLO with other fields."""
    return json.dumps(HELLO | fields).encode()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"[]", "JSON object"),
        (b"\xff\xfe\xfd", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b'{"model":"demo","max_tokens":' + b"9" * 5000 + b"}", "JSON"),
        (b"{}", "model"),
        (chat(model=7), "model"),
        (chat(messages=[]), "messages"),
        (chat(messages="Hello"), "messages"),
        (chat(messages=["Hello"]), "role"),
        (chat(messages=[{"role": "tool", "content": "x"}]), "role"),
        (chat(messages=[{"role": ["user"], "content": "x"}]), "role"),
        (chat(messages=[{"role": "user"}]), "content"),
        (chat(messages=[{"role": "user", "content": [{"type": "image_url"}]}]), "content"),
        (chat(messages=[{"role": "user", "content": "x"}] * 65), "64"),
        (chat(messages=[{"role": "user", "content": "x" * (PROMPT_CHARS_MAX + 1)}]), "limit"),
        (chat(max_tokens=0), "max_tokens"),
        (chat(max_tokens=TOKENS_MAX + 1), "max_tokens"),
        (chat(max_tokens=True), "max_tokens"),
        (chat(max_tokens=1.5), "max_tokens"),
        (chat(temperature=2.1), "temperature"),
        (chat(temperature="hot"), "temperature"),
        (chat(temperature=float("nan")), "temperature"),
        (chat(seed=-1), "seed"),
        (chat(stream="yes"), "stream"),
        (chat(stream_options=[1]), "stream_options"),
        (chat(n=2), "n must be 1"),
        (chat(stop=["."]), "stop"),
        (chat(tools=[{"type": "function"}]), "tools"),
        (chat(logprobs=True), "logprobs"),
    ],
)
async def test_a_bad_request_is_refused(client: Client, body: bytes, says: str) -> None:
    """What cannot be served is a 400 in the API's error form that names the cause."""
    response = await client.post(CHAT, data=body)
    error = (await response.json())["error"]
    assert (response.status, error["type"]) == (400, "invalid_request_error")
    assert says in error["message"]


async def test_another_model_does_not_exist(client: Client) -> None:
    """Only the model that is served can be asked for."""
    response = await client.post(CHAT, json=HELLO | {"model": "gate"})
    assert response.status == 404
    assert "'gate' does not exist" in (await response.json())["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "size", "status"),
    [("GET", "/v1/files", 0, 404), ("GET", CHAT, 0, 405), ("POST", CHAT, BODY_BYTES_MAX + 1, 413)],
)
async def test_http_errors_have_the_same_form(
    client: Client, method: str, path: str, size: int, status: int
) -> None:
    """Unknown paths, wrong methods and bodies over the bound are errors in the API's form."""
    response = await client.request(method, path, data=b" " * size)
    assert response.status == status
    assert (await response.json())["error"]["message"]


async def test_models_and_health(client: Client) -> None:
    """The list names the one model; health answers."""
    listing = await (await client.get("/v1/models")).json()
    assert [entry["id"] for entry in listing["data"]] == ["demo"]
    assert (await client.get("/health")).status == 200


async def test_a_busy_server_says_so(client: Client, model: ScriptedModel) -> None:
    """One request more than allowed is told to come back, streamed or not, and then served."""
    model.pause_seconds = 0.02
    running = [asyncio.create_task(client.post(CHAT, json=HELLO)) for _ in range(RUNNING_MAX)]
    await asyncio.sleep(0.1)
    for stream in (True, False):
        response = await client.post(CHAT, json=HELLO | {"stream": stream})
        assert (response.status, response.headers["Retry-After"]) == (429, "1")
    assert [(await task).status for task in running] == [200] * RUNNING_MAX
    assert (await client.post(CHAT, json=HELLO)).status == 200


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_ends_the_work(
    client: Client, engine: Engine, model: ScriptedModel, stream: bool
) -> None:
    """When the connection closes, the generation stops long before its answer is complete."""
    model.answer, model.pause_seconds = "word " * 100, 0.02
    asking = asyncio.create_task(client.post(CHAT, json=HELLO | {"stream": stream}))
    await asyncio.sleep(0.2)
    assert engine.running == 1
    if stream:
        (await asking).close()
    asking.cancel()
    await asyncio.sleep(1.0)
    assert engine.running == 0
    assert engine.tokens_total < len(model.answer) / 2


async def test_metrics_count_what_happened(client: Client, model: ScriptedModel) -> None:
    """Answers by status code, characters written, and what is running."""
    await client.post(CHAT, json=HELLO)
    await client.post(CHAT, data=b"{")
    lines = (await (await client.get("/metrics")).text()).splitlines()
    assert 'demo_answers_total{code="200"} 1' in lines
    assert 'demo_answers_total{code="400"} 1' in lines
    assert f"demo_tokens_total {len(model.answer) + 1}" in lines
    assert "demo_generations_running 0" in lines


async def test_a_failing_model_is_an_error(client: Client, model: ScriptedModel) -> None:
    """An error inside the generation is answered as one, and the server goes on."""
    model.answer = None  # type: ignore[assignment]
    assert (await client.post(CHAT, json=HELLO)).status == 500
    model.answer = "Back."
    assert (await client.post(CHAT, json=HELLO)).status == 200
