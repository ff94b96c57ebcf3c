"""hold approve, reject: what people sign counts where the action is held, and nowhere else."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from quorate.consensus import hold
from quorate.consensus.hold import Holds, Standing, Terms
from quorate.errors import SignatureError
from quorate.keys import load_public_key
from tests.unit.cli.conftest import Quorate

DIGEST = "sha256:" + "a" * 64
TERMS = Terms("c", DIGEST, (DIGEST,), DIGEST, DIGEST)


@pytest.fixture
def keys(quorate: Quorate, tmp_path: Path) -> list[Path]:
    """Private keys of two people."""
    found = [tmp_path / f"{name}.key" for name in ("a", "b")]
    for path in found:
        assert quorate("keygen", "--out", path.with_suffix("")).code == 0
    return found


def held() -> Holds:
    """A table that holds one action since a moment ago."""
    now = datetime.now(UTC) - timedelta(seconds=5)
    return hold.open_hold(Holds(), TERMS, now, timedelta(minutes=15))[0]


@pytest.mark.requirement("HOLD stays a DENY until a signed human approval for that digest arrives")
def test_two_people_approve_one_hold(quorate: Quorate, keys: list[Path], tmp_path: Path) -> None:
    """One alone is not enough where two must; the second signs what the first did."""
    out = tmp_path / "decision.json"
    ran = quorate(
        "hold", "approve", "--id", TERMS.hold_id, "--reason", "called", "--key", keys[0],
        "--out", out,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "/quorate/v1/hold-decisions" in ran.out
    public = [load_public_key(path.with_suffix(".pub").read_text()).pem for path in keys]
    group = hold.people(public, 2)
    with pytest.raises(SignatureError):
        hold.decide(held(), out.read_bytes(), [group], datetime.now(UTC))
    ran = quorate(
        "hold", "approve", "--id", TERMS.hold_id, "--add-to", out, "--key", keys[1],
        "--out", out, "--output", "json",
    )  # fmt: skip
    assert (ran.code, ran.document["signatures"]) == (0, 2)
    _, found = hold.decide(held(), out.read_bytes(), [group], datetime.now(UTC))
    assert found.standing is Standing.APPROVED


@pytest.mark.parametrize(
    "changed",
    [
        ["--id", "x"],
        ["--minutes", "61"],
        ["--minutes", "0"],
        ["--reason", "two\nlines"],
        ["--reason", ""],
    ],
)
def test_what_could_not_count_is_not_signed(
    quorate: Quorate, keys: list[Path], tmp_path: Path, changed: list[str]
) -> None:
    """It is bad usage, and no file is left."""
    out = tmp_path / "decision.json"
    given = {"--id": TERMS.hold_id, "--reason": "called"} | {changed[0]: changed[1]}
    words = [word for pair in given.items() for word in pair]
    assert quorate("hold", "approve", *words, "--key", keys[0], "--out", out).code == 2
    assert not out.exists()


def test_a_decision_of_somebody_else_is_signed_as_it_is(
    quorate: Quorate, keys: list[Path], tmp_path: Path
) -> None:
    """Not about another hold, not with other terms, not twice by one key."""
    out = tmp_path / "decision.json"
    first = ["hold", "approve", "--id", TERMS.hold_id, "--key", str(keys[0]), "--out", str(out)]
    assert quorate(*first, "--reason", "yes").code == 0
    assert json.loads(out.read_text())["payloadType"]
    other = ["hold", "approve", "--id", DIGEST, "--add-to", out, "--key", keys[1], "--out", out]
    assert quorate(*other).code == 2
    assert quorate(*first, "--add-to", out).code == 2
    again = ["hold", "approve", "--id", TERMS.hold_id, "--key", keys[1], "--out", out]
    assert quorate(*again, "--add-to", out, "--reason", "yes").code == 2


def test_one_rejects(quorate: Quorate, keys: list[Path], tmp_path: Path) -> None:
    """Where two must approve, one of them is enough to reject."""
    out = tmp_path / "decision.json"
    ran = quorate(
        "hold", "reject", "--id", TERMS.hold_id, "--reason", "no", "--key", keys[0], "--out", out
    )
    assert ran.code == 0, ran.err
    public = [load_public_key(path.with_suffix(".pub").read_text()).pem for path in keys]
    group = hold.people(public, 2)
    _, found = hold.decide(held(), out.read_bytes(), [group], datetime.now(UTC))
    assert found.standing is Standing.REJECTED


Answering = Callable[[int, dict[str, object]], str]


@pytest.fixture
def pod() -> Iterator[Answering]:
    """A pod that answers every decision with a status and a body; returns its URL."""
    servers = []

    def answering(status: int, body: dict[str, object]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = self.rfile.read(int(self.headers["Content-Length"]))
                told = {**body, "asked": self.path, "signed": b"payloadType" in asked}
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(told).encode())

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield answering
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, {"standing": "Approved"}, 0),
        (403, {"error": {"message": "nothing is held here"}}, 1),
        (503, {"error": {"message": "no signed state"}}, 3),
        (302, {}, 3),
    ],
)
def test_a_decision_is_delivered_or_it_is_said_why_not(
    quorate: Quorate,
    keys: list[Path],
    tmp_path: Path,
    pod: Answering,
    status: int,
    body: dict[str, object],
    code: int,
) -> None:
    """The signed file stays in each case: it can be delivered again."""
    out = tmp_path / "decision.json"
    sign = ("hold", "approve", "--id", TERMS.hold_id, "--reason", "r", "--key", keys[0])
    ran = quorate(*sign, "--out", out, "--send", pod(status, body), "--output", "json")
    assert ran.code == code
    assert out.exists()
    if code == 0:
        assert ran.document["standing"] == "Approved"
    elif status != 302:
        assert body["error"]["message"] in ran.document["error"]["message"]  # type: ignore[index]


@pytest.mark.parametrize(
    "url", ["ftp://x", "http://", "http://u@x:1", "http://x:1/y", "x", "http://x:y"]
)
def test_what_is_no_pod_is_refused_before_anything_is_signed(
    quorate: Quorate, keys: list[Path], tmp_path: Path, url: str
) -> None:
    """It is bad usage, and no file is left."""
    out = tmp_path / "decision.json"
    sign = ("hold", "approve", "--id", TERMS.hold_id, "--reason", "r", "--key", keys[0])
    assert quorate(*sign, "--out", out, "--send", url).code == 2
    assert not out.exists()
