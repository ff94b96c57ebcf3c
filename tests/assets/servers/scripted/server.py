"""A model server for tests that says what it is told; `script` lists the commands.

    python3 -m tests.assets.servers.scripted.server --host 127.0.0.1 --port 8000
        [--model DIR] [--everywhere] [--also HOST:PORT --also-after SECONDS]

The model directory must exist and is not read. ``--everywhere`` binds every address, whatever
``--host`` says, as a server does that overlooks the option. ``--also`` opens a second listener
after a while, as a server would that wants to be reached past its sidecar. Each request is a JSON
line on standard output, so a test can tell what reached the model.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .frames import chunk, completion, merge
from .script import Cut, Delta, Pause, Raw, Status, Step, parse_command, steps

BODY_BYTES_MAX = 8 * 1024 * 1024
IDLE_SECONDS_MAX = 60.0
DRAIN_SECONDS = 20.0
EMBEDDING = [0.25, -0.5, 0.75]


class Server(ThreadingHTTPServer):
    """One listener; counts the requests it is working on."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.requests_total = 0
        self.running = 0
        self._lock = threading.Lock()
        super().__init__((host, port), Handler)

    def count(self, change: int) -> None:
        """Notes that a request began (1) or ended (-1)."""
        with self._lock:
            self.running += change
            self.requests_total += max(change, 0)


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS_MAX
    server: Server

    def do_GET(self) -> None:
        """Health, metrics and the model list."""
        self._note("")
        if self.path == "/health":
            self._json(200, {"status": "ok"})
        elif self.path == "/metrics":
            metric = f"scripted_requests_total {self.server.requests_total}\n"
            self._whole(200, "text/plain", metric.encode())
        elif self.path == "/v1/models":
            entry = {"id": "scripted", "object": "model", "created": 0, "owned_by": "tests"}
            self._json(200, {"object": "list", "data": [entry]})
        else:
            self._error(404)

    def do_POST(self) -> None:
        """Completions and embeddings."""
        length = int(self.headers.get("Content-Length", -1))
        if not 0 <= length <= BODY_BYTES_MAX:
            self.close_connection = True
            self._error(413 if length > 0 else 411)
            return
        body = self.rfile.read(length)
        self.server.count(1)
        try:
            self._answer(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            self.server.count(-1)

    def _answer(self, body: bytes) -> None:
        try:
            request: dict[str, Any] = json.loads(body)
            command = parse_command(request)
        except (ValueError, AttributeError, TypeError):
            self._error(400)
            return
        self._note(command.name)
        if self.path == "/v1/embeddings":
            self._embed(request)
            return
        chat = self.path == "/v1/chat/completions"
        if not chat and self.path != "/v1/completions":
            self._error(404)
            return
        plan = steps(command, body)
        if request.get("stream"):
            self._stream(plan, chat=chat)
        else:
            self._join(plan, chat=chat)

    def _stream(self, plan: Iterator[Step], *, chat: bool) -> None:
        choices: set[int] = set()
        for step in plan:
            if isinstance(step, Status):
                self._error(step.code)
                return
            if isinstance(step, Pause):
                time.sleep(step.seconds)
                continue
            if not choices:
                self._begin()
            if isinstance(step, Cut):
                self.wfile.write(step.after_done)
                self.close_connection = True
                return
            if isinstance(step, Raw):
                self._chunk(step.data)
                continue
            if chat and step.choice not in choices:
                self._event(chunk(step.choice, {"role": "assistant"}, None, chat=chat))
            choices.add(step.choice)
            self._event(chunk(step.choice, step.change, None, chat=chat))
        for choice in sorted(choices):
            self._event(chunk(choice, {}, "stop", chat=chat))
        self._chunk(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _event(self, document: dict[str, Any]) -> None:
        self._chunk(b"data: " + json.dumps(document).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _join(self, plan: Iterator[Step], *, chat: bool) -> None:
        """Sends the same answer in one body."""
        messages: dict[int, dict[str, Any]] = {}
        for step in plan:
            if isinstance(step, Delta):
                merge(messages.setdefault(step.choice, {"role": "assistant"}), step.change)
            elif isinstance(step, Pause):
                time.sleep(step.seconds)
            elif isinstance(step, Status):
                self._error(step.code)
                return
            elif isinstance(step, Raw):
                self._whole(200, "application/json", step.data.removeprefix(b"data: "))
                return
            else:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"id": "cut')
                self.close_connection = True
                return
        self._json(200, completion(messages, chat=chat))

    def _embed(self, request: dict[str, Any]) -> None:
        inputs = request.get("input")
        texts = inputs if isinstance(inputs, list) else [inputs]
        data = [
            {"object": "embedding", "index": index, "embedding": EMBEDDING}
            for index in range(len(texts))
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        self._json(200, {"object": "list", "data": data, "model": "scripted", "usage": usage})

    def _error(self, code: int) -> None:
        body = {"message": "as the script says", "type": "scripted", "param": None, "code": code}
        self._json(code, {"error": body})

    def _json(self, code: int, document: dict[str, Any]) -> None:
        self._whole(code, "application/json", json.dumps(document).encode())

    def _whole(self, code: int, media_type: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _note(self, command: str) -> None:
        if self.path != "/health":
            line = {"method": self.command, "path": self.path, "command": command}
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Keeps the base class quiet: `_note` writes the log."""


def main() -> int:
    """Serves until SIGTERM or SIGINT, then finishes what is running; returns the exit code."""
    options = _parser().parse_args()
    if options.model and not options.model.is_dir():
        sys.stderr.write(f"error: no model directory at {options.model}\n")
        return 2
    host = "0.0.0.0" if options.everywhere else options.host  # noqa: S104 - what it is for
    try:
        server = Server(host, options.port)
    except OSError as error:
        sys.stderr.write(f"error: {host}:{options.port}: {error.strerror}\n")
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    if options.also:
        threading.Thread(target=_also, args=(options.also, options.also_after), daemon=True).start()
    server.serve_forever(poll_interval=0.1)
    server.socket.close()
    deadline = time.monotonic() + DRAIN_SECONDS
    while server.running and time.monotonic() < deadline:
        time.sleep(0.05)
    return 0


def _also(address: str, after_seconds: float) -> None:
    time.sleep(after_seconds)
    host, _, port = address.rpartition(":")
    server = Server(host, int(port))
    sys.stdout.write(json.dumps({"opened": address, "time": time.time()}) + "\n")
    sys.stdout.flush()
    server.serve_forever()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Says what it is told.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--everywhere", action="store_true")
    parser.add_argument("--also", metavar="HOST:PORT")
    parser.add_argument("--also-after", type=float, default=0.0, metavar="SECONDS")
    return parser


if __name__ == "__main__":
    sys.exit(main())
