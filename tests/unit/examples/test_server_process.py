"""The demo server as a process: how it starts, refuses to start, and stops."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from openai import BadRequestError, OpenAI
from openai.types.chat import ChatCompletionMessageParam

SERVER = Path(__file__).resolve().parents[3] / "examples" / "01-first-light/server/server.py"
START_SECONDS_MAX = 30.0


def start(model: Path, port: int, **environment: str) -> subprocess.Popen[str]:
    """Starts the server on loopback."""
    return subprocess.Popen(
        [sys.executable, str(SERVER), "--model", str(model), "--port", str(port)],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_healthy(port: int) -> None:
    """Waits until the server answers."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                return
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.05)


def test_it_serves_and_stops_when_told(model_dir: Path, unused_port: int) -> None:
    """A server answers under the name it was given, and SIGTERM ends it without an error."""
    with start(model_dir, unused_port, DEMO_NAME="mine") as process:
        try:
            wait_healthy(unused_port)
            listing = f"http://127.0.0.1:{unused_port}/v1/models"
            with urllib.request.urlopen(listing, timeout=5) as response:
                assert json.load(response)["data"][0]["id"] == "mine"
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0
        finally:
            process.kill()


@pytest.mark.requirement("the sidecar works with any OpenAI-compatible server")
def test_the_openai_client_understands_it(model_dir: Path, unused_port: int) -> None:
    """The openai package reads whole and streamed answers, the model list, and a refusal."""
    hello: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]
    with (
        start(model_dir, unused_port) as process,
        OpenAI(base_url=f"http://127.0.0.1:{unused_port}/v1", api_key="none", max_retries=0) as api,
    ):
        try:
            wait_healthy(unused_port)
            whole = api.chat.completions.create(model="demo", messages=hello, max_tokens=20)
            with api.chat.completions.create(
                model="demo", messages=hello, max_tokens=20, stream=True
            ) as stream:
                parts = [chunk.choices[0].delta.content or "" for chunk in stream]
            assert "".join(parts) == whole.choices[0].message.content
            assert [model.id for model in api.models.list()] == ["demo"]
            with pytest.raises(BadRequestError, match="n must be 1"):
                api.chat.completions.create(model="demo", messages=hello, n=2)
        finally:
            process.kill()


def test_a_taken_address_is_named(model_dir: Path) -> None:
    """When somebody else listens there already, the reason is on standard error."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        start(model_dir, taken.getsockname()[1]) as process,
    ):
        _, errors = process.communicate(timeout=START_SECONDS_MAX)
    assert process.returncode == 2
    assert "address already in use" in errors.lower()


def test_a_missing_model_is_named(tmp_path: Path, unused_port: int) -> None:
    """Without a model nothing is served, and the reason is on standard error."""
    with start(tmp_path / "missing", unused_port) as process:
        _, errors = process.communicate(timeout=START_SECONDS_MAX)
    assert process.returncode == 2
    assert "holds no usable model" in errors


@pytest.fixture
def unused_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
