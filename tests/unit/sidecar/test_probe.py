"""The exec probe's client: exit codes and words, whatever answers."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from quorate_sidecar import probe


@contextmanager
def answering(path: Path, answer: bytes) -> Iterator[list[bytes]]:
    """A server that reads one request and answers this."""
    asked: list[bytes] = []
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            asked.append(connection.recv(4096))
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield asked
    finally:
        thread.join(5)
        server.close()


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nok\n", 0, "ok"),
        (b"HTTP/1.1 503 No\r\nA: b\r\n\r\nno signed state yet\n", 1, "no signed state yet"),
        (b"", 1, "not HTTP"),
        (b"garbage", 1, "not HTTP"),
        (b"HTTP/1.1 x\r\n\r\n", 1, "not HTTP"),
    ],
)
def test_answer_decides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: bytes, code: int, words: str
) -> None:
    """Only a 200 is a success, and what was said is printed."""
    path = tmp_path / "s"
    with answering(path, answer) as asked:
        assert probe.main(["ready", "--socket", str(path)]) == code
    assert words in capsys.readouterr().out
    assert asked[0].startswith(b"GET /readyz HTTP/1.1\r\n")


def test_nobody_there_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sidecar that does not run is not ready."""
    assert probe.main(["startup", "--socket", str(tmp_path / "none")]) == 1
    assert "does not answer" in capsys.readouterr().out


def test_endless_answer_is_cut(tmp_path: Path) -> None:
    """The probe's memory is bounded."""
    path = tmp_path / "s"
    with answering(path, b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 17_000):
        status, text = probe.ask("ready", str(path))
    assert status == 200
    assert len(text) <= probe.ANSWER_BYTES + 4096


def test_probe_imports_next_to_nothing() -> None:
    """The kubelet runs it every few seconds: no third-party library is loaded for it."""
    code = (
        "import sys; import quorate_sidecar.probe; "
        "print([m for m in ('aiohttp', 'msgspec', 'asyncio', 'json') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_command_line_offers_the_same_probe(tmp_path: Path) -> None:
    """``quorate_sidecar probe`` and ``quorate_sidecar.probe`` are one."""
    command = [sys.executable, "-m", "quorate_sidecar", "probe", "ready"]
    done = subprocess.run(
        [*command, "--socket", str(tmp_path / "none")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "does not answer" in done.stdout
