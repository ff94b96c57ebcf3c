"""The scripted server does say what the end-to-end tests must see refused."""

import base64
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.assets.servers.scripted.script import PLANTED
from tests.assets.servers.scripted.server import Server

CHAT = "/v1/chat/completions"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a running scripted server."""
    server = Server("127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def post(
    port: int, message: str, *, path: str = CHAT, stream: bool = True, **fields: Any
) -> tuple[int, bytes, bool]:
    """One request; returns status, body, and whether the body came to its end."""
    body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": message}]}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", path, json.dumps(body | fields))
        response = connection.getresponse()
        try:
            return response.status, response.read(), True
        except http.client.IncompleteRead as error:
            return response.status, error.partial, False
    finally:
        connection.close()


def deltas(body: bytes) -> list[tuple[int, dict[str, Any]]]:
    """Choice and change of every event of a stream."""
    *events, done, end = body.split(b"\n\n")
    assert (done, end) == (b"data: [DONE]", b"")
    choices = (json.loads(event.removeprefix(b"data: "))["choices"][0] for event in events)
    return [(choice["index"], choice["delta"]) for choice in choices]


@pytest.mark.parametrize("text", ["one two  three", "echo", "a:b, c=d", "ünïcode\nlines", ""])
def test_echo(port: int, text: str) -> None:
    """The text comes back, streamed and whole."""
    _, body, _ = post(port, f"echo:{text}")
    assert "".join(delta.get("content", "") for _, delta in deltas(body)) == text
    _, body, _ = post(port, f"echo:{text}", stream=False)
    assert json.loads(body)["choices"][0]["message"] == {"role": "assistant", "content": text}


@pytest.mark.parametrize("chunks", [1, 2, 7, 20])
def test_a_leak_is_split_as_asked(port: int, chunks: int) -> None:
    """The planted key really is in the answer, over exactly so many chunks."""
    _, body, _ = post(port, f"leak:chunks={chunks}")
    parts = [delta["content"] for _, delta in deltas(body) if "content" in delta]
    assert "".join(parts) == f"The key is {PLANTED}, keep it."
    assert "".join(parts[1:-1]) == PLANTED
    assert len(parts[1:-1]) == chunks


def test_a_leak_hides_where_asked(port: int) -> None:
    """In a second choice, in reasoning, in the arguments of a tool call."""
    _, body, _ = post(port, "leak:chunks=2,choice=1")
    assert {index for index, delta in deltas(body) if "content" in delta} == {1}
    _, body, _ = post(port, "leak:field=reasoning_content", stream=False)
    assert PLANTED in json.loads(body)["choices"][0]["message"]["reasoning_content"]
    _, body, _ = post(port, "leak:chunks=3,field=arguments", stream=False)
    call = json.loads(body)["choices"][0]["message"]["tool_calls"][0]
    assert PLANTED in call["function"]["arguments"]


def test_the_models_name_may_hold_the_command(port: int) -> None:
    """A message that is no command leaves it to the model's name; else there is a fixed answer."""
    _, body, _ = post(port, "hello", stream=False, model="leak:chunks=1")
    assert PLANTED.encode() in body
    _, body, _ = post(port, "hello", stream=False)
    assert b"This is a scripted answer." in body


def test_plain_completions(port: int) -> None:
    """The older form carries the text without a role."""
    _, body, _ = post(
        port, "", path="/v1/completions", stream=False, prompt="echo:a b", messages=[]
    )
    assert json.loads(body)["choices"][0]["text"] == "a b"
    _, body, _ = post(port, "", path="/v1/completions", prompt="echo:a b", messages=[])
    assert b'"text": "a "' in body


@pytest.mark.parametrize("stream", [True, False])
def test_an_abort_cuts_the_connection(port: int, stream: bool) -> None:
    """The answer begins and never ends."""
    status, body, complete = post(port, "abort:after=2", stream=stream)
    assert (status, complete) == (200, False)
    assert body
    assert b"[DONE]" not in body


@pytest.mark.parametrize(
    ("kind", "holds"),
    [
        ("json", b"data: {not json\n\n"),
        ("utf8", b"\xff\xfe"),
        ("object", b"data: [1, 2, 3]\n\n"),
        ("duplicate", b'"choices": [], "choices": ['),
        ("endless", b"x" * 100_000),
        ("done", b"data: [DONE]\n\ndata: {"),
    ],
)
def test_malformed_events_are_sent_as_they_are(port: int, kind: str, holds: bytes) -> None:
    """Each kind of malformed event is in the stream."""
    status, body, _ = post(port, f"malformed:kind={kind}")
    assert status == 200
    assert holds in body


def test_a_stream_may_lack_its_end(port: int) -> None:
    """The HTTP body is complete, the stream is not."""
    _, body, complete = post(port, "malformed:kind=open")
    assert complete
    assert b"so far so good" in body
    assert b"[DONE]" not in body


def test_sizes_counts_and_pauses(port: int) -> None:
    """Big answers, several choices, status codes and slow chunks come as asked for."""
    _, body, _ = post(port, "big:bytes=100000", stream=False)
    assert len(json.loads(body)["choices"][0]["message"]["content"]) == 100_000
    _, body, _ = post(port, "choices:n=3", stream=False)
    assert [choice["index"] for choice in json.loads(body)["choices"]] == [0, 1, 2]
    assert post(port, "status:code=503")[0] == 503
    started = time.monotonic()
    post(port, "slow:chunks=3,seconds=0.1")
    assert time.monotonic() - started >= 0.3


def test_tool_calls_are_joined(port: int) -> None:
    """The arguments of a tool call make JSON once joined."""
    _, body, _ = post(port, "tools:", stream=False)
    call = json.loads(body)["choices"][0]["message"]["tool_calls"][0]
    assert json.loads(call["function"]["arguments"]) == {"city": "Bern"}


def test_a_tool_is_called_as_asked(port: int) -> None:
    """By the model's name as well, whose characters a sidecar lets pass."""
    coded = base64.urlsafe_b64encode(b'{"to": "a", "n": 17}').decode().rstrip("=")
    _, body, _ = post(port, "hello", stream=False, model=f"call:send_mail/{coded}")
    call = json.loads(body)["choices"][0]["message"]["tool_calls"][0]["function"]
    assert (call["name"], json.loads(call["arguments"])) == ("send_mail", {"to": "a", "n": 17})


def test_seen_returns_the_request(port: int) -> None:
    """A test can look at the very bytes that reached the model."""
    _, body, _ = post(port, "seen:", stream=False, user="somebody")
    seen = json.loads(json.loads(body)["choices"][0]["message"]["content"])
    assert seen["user"] == "somebody"


@pytest.mark.parametrize("body", ["{", "[]", '{"messages": [1]}'])
def test_nonsense_is_a_400(port: int, body: str) -> None:
    """A body that cannot be read is refused, and the server goes on."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", CHAT, body)
    assert connection.getresponse().status == 400
    connection.close()
    assert post(port, "echo:still here")[0] == 200


def start(*arguments: str) -> subprocess.Popen[str]:
    """Starts the server as a process."""
    command = [sys.executable, "-m", "tests.assets.servers.scripted.server", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_taken_address_is_named(port: int) -> None:
    """The wildcard over a listener that is already there fails, and says why."""
    with start("--host", "0.0.0.0", "--port", str(port)) as process:  # noqa: S104 - the case
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "address already in use" in errors.lower()


def test_everywhere_is_not_where_it_was_told(port: int) -> None:
    """The wildcard is bound although the arguments name loopback."""
    with start("--host", "127.0.0.1", "--port", str(port), "--everywhere") as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"0.0.0.0:{port}: Address already in use" in errors


def test_a_model_directory_must_exist(tmp_path: Path) -> None:
    """A model that is not mounted is an error."""
    with start("--model", str(tmp_path / "missing"), "--port", "0") as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "no model directory" in errors


def test_it_finishes_what_is_running(port: int) -> None:
    """SIGTERM lets a running stream end, and then ends the process without an error."""
    with Server("127.0.0.1", 0) as probe:
        own_port = probe.server_address[1]
    with start("--port", str(own_port)) as process:
        try:
            wait_listening(own_port)
            answers: list[tuple[int, bytes, bool]] = []
            ask = threading.Thread(
                target=lambda: answers.append(post(own_port, "slow:chunks=4,seconds=0.3"))
            )
            ask.start()
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            ask.join(timeout=10)
            assert process.wait(timeout=10) == 0
            assert b"data: [DONE]" in answers[0][1]
        finally:
            process.kill()


def test_a_second_listener_opens_later(tmp_path: Path) -> None:
    """`--also` opens another address after the asked time."""
    ports = []
    for _ in range(2):
        with Server("127.0.0.1", 0) as probe:
            ports.append(probe.server_address[1])
    also = ("--also", f"127.0.0.1:{ports[1]}", "--also-after", "0.5", "--model", str(tmp_path))
    with start("--port", str(ports[0]), *also) as process:
        try:
            wait_listening(ports[0])
            assert not is_listening(ports[1])
            wait_listening(ports[1])
        finally:
            process.kill()


def is_listening(port: int) -> bool:
    """Whether somebody answers on the port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except ConnectionError:
        return False
    finally:
        connection.close()


def wait_listening(port: int) -> None:
    """Waits until somebody answers on the port."""
    deadline = time.monotonic() + 30
    while not is_listening(port):
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.05)
