"""The processes of the benchmark, inside a network namespace of their own."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.sidecar.inside_pod import ADDRESSES, PORT, Pod

HERE = Path(__file__).parent
PROXY_CORE, LOAD_CORE = "0", "1"
"""What is measured has a core to itself; load and model server share the other."""

TARGETS = {
    "direct": f"http://127.0.0.1:{PORT}",
    "nginx": f"http://127.0.0.3:{PORT}",
    "sidecar": f"http://{ADDRESSES[0]}:{PORT}",
}


class BenchPod(Pod):
    """A pod whose policy does not limit the rate, and leaves look-ups to the sidecar."""

    def floor(self) -> dict[str, Any]:
        document = super().floor()
        document["spec"]["runtime"]["limits"] = {"requestsPerMinute": 1_000_000}
        document["spec"]["runtime"]["risk"] = {
            "tools": [{"name": "lookup", "capability": "facts", "actionClass": "read"}],
            "weights": [{"actionClass": "read", "score": 200}],
        }
        return document


@dataclass(frozen=True)
class Load:
    """One run of the load generator. Latencies in milliseconds."""

    requests: int
    per_second: float
    p50: float
    p99: float


def pin(pid: int, core: str) -> None:
    """Keep a process on one core."""
    os.sched_setaffinity(pid, {int(core)})


def nginx_worker(master: int) -> int:
    """The process that does nginx's work."""
    children = Path(f"/proc/{master}/task/{master}/children")
    for _ in range(100):
        found = children.read_text().split()
        if found:
            return int(found[0])
        time.sleep(0.05)
    raise AssertionError("nginx has no worker")


def load(target: str, script: Path, connections: int, seconds: int) -> Load:
    """Run wrk against a target."""
    command = [
        *("taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}"),
        *("-s", str(script), "--latency", f"{TARGETS[target]}/v1/chat/completions"),
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in text, text
    assert "Socket errors" not in text, text
    requests = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert requests is not None
    assert rate is not None
    return Load(int(requests[1]), float(rate[1]), _latency(text, "50%"), _latency(text, "99%"))


def _latency(text: str, share: str) -> float:
    match = re.search(rf"{share}\s+([\d.]+)(us|ms|s)\n", text)
    assert match is not None, text
    return float(match[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[match[2]]


TOOLS = ',"tools":[{"type":"function","function":{"name":"lookup"}}]'


def wrk_script(folder: Path, name: str, fields: str = "") -> Path:
    """A script that posts one chat request of about 860 bytes, and ``fields``, again and again."""
    text = "Tell me a story about a fox and a dog, please. " * 16
    body = f'{{"model":"demo","messages":[{{"role":"user","content":"{text}"}}]{fields}}}'
    path = folder / f"{name}.lua"
    path.write_text(
        'wrk.method = "POST"\n'
        'wrk.headers["Content-Type"] = "application/json"\n'
        f"wrk.body = [[{body}]]\n"
    )
    return path


@contextmanager
def running(*command: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that has ended when the block has."""
    process = subprocess.Popen(command)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def model_server() -> Iterator[None]:
    """The canned model server, on the load's core."""
    with running(sys.executable, "-m", "tests.bench.sidecar.model_server", str(PORT)) as process:
        pin(process.pid, LOAD_CORE)
        time.sleep(1)
        yield


@contextmanager
def nginx(folder: Path) -> Iterator[int]:
    """The peer; yields its worker's pid."""
    text = (HERE / "nginx.conf").read_text()
    path = folder / "nginx.conf"
    path.write_text(text.replace("@FOLDER@", str(folder)).replace("@PORT@", str(PORT)))
    with running("nginx", "-c", str(path)) as process:
        worker = nginx_worker(process.pid)
        pin(worker, PROXY_CORE)
        yield worker
