"""What the sidecar costs, against no proxy and against nginx, in one run.

``python -m tests.bench.sidecar`` prints a table and writes build/bench/sidecar.json. Needs ``wrk``,
``nginx``, ``taskset`` and two cores. Figures are medians over rounds in which all take turns: the
ratios hold on a noisy machine, the absolute times only on a quiet one.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.bench.report import Figure, publish
from tests.bench.sidecar import scene
from tests.bench.sidecar.model_server import EVENTS
from tests.bench.sidecar.scene import Load
from tests.bench.usage import cpu_seconds, memory_mib
from tests.integration.consensus.operating import Operating

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))
NETWORK = (
    "ip link set lo up && ip addr add 10.244.0.5/32 dev lo && "
    "ip -6 addr add fd00::5/128 dev lo nodad && exec "
)

Key = tuple[str, str]


class Measurements:
    """What was measured, by (scenario, target)."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self._loads: dict[Key, list[Load]] = {}
        self._cpu: dict[Key, list[float]] = {}

    def run(self, scenario: str, target: str, script: Path, connections: int) -> None:
        """One round of one scenario against one target."""
        pid = self._pids.get(target)
        before = cpu_seconds(pid) * 1e6 if pid else 0.0
        load = scene.load(target, script, connections, SECONDS)
        self._loads.setdefault((scenario, target), []).append(load)
        if pid:
            spent = cpu_seconds(pid) * 1e6 - before
            self._cpu.setdefault((scenario, target), []).append(spent / load.requests)

    def cpu(self, scenario: str, target: str) -> float:
        """CPU microseconds a request, the median of the rounds."""
        return median(self._cpu[scenario, target])

    def latency(self, scenario: str, target: str, share: str) -> float:
        """Milliseconds, the median of the rounds."""
        loads = self._loads[scenario, target]
        return median(load.p50 if share == "p50" else load.p99 for load in loads)


def figures(found: Measurements, memory: dict[str, float]) -> list[Figure]:
    """The figures of the design's table: nginx in the same run as the floor, and as peers the
    published figures of Envoy (CPU) and of Istio's sidecar (memory)."""
    cpu, nginx_cpu = found.cpu("json-32", "sidecar"), found.cpu("json-32", "nginx")
    per_event = found.cpu("stream", "sidecar") / EVENTS
    added = {
        (target, share): found.latency("json-1", target, share)
        - found.latency("json-1", "direct", share)
        for target in ("sidecar", "nginx")
        for share in ("p50", "p99")
    }
    call = {
        share: found.latency("call-1", "sidecar", share) - found.latency("call-1", "direct", share)
        for share in ("p50", "p99")
    }
    return [
        Figure("CPU per request, 32 connections", cpu, "us", "<=250", nginx_cpu, 200),
        Figure("CPU per request, 1 connection", found.cpu("json-1", "sidecar"), "us", None,
               found.cpu("json-1", "nginx")),
        Figure("requests per core against nginx", nginx_cpu / cpu, "ratio", ">=0.5"),
        Figure("added latency p50, 1 connection", added["sidecar", "p50"], "ms", "<=1",
               added["nginx", "p50"]),
        Figure("added latency p99, 1 connection", added["sidecar", "p99"], "ms", "<=10",
               added["nginx", "p99"]),
        Figure("added latency p50, a call decided alone", call["p50"], "ms", None,
               added["sidecar", "p50"]),
        Figure("added latency p99, a call decided alone", call["p99"], "ms", "<=10",
               added["sidecar", "p99"]),
        Figure("CPU per request, a call decided alone", found.cpu("call-1", "sidecar"), "us", None,
               found.cpu("json-1", "sidecar")),
        Figure("CPU per streamed event", per_event, "us", None,
               found.cpu("stream", "nginx") / EVENTS),
        Figure("resident memory after load", memory["sidecar"], "MiB", "<=80",
               memory["nginx"], 60),
    ]  # fmt: skip


async def inside(folder: Path) -> None:
    """Everything, in the namespace."""
    pod = scene.BenchPod(folder)
    whole = scene.wrk_script(folder, "json")
    stream = scene.wrk_script(folder, "stream", ',"stream":true')
    call = scene.wrk_script(folder, "call", scene.TOOLS)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(pod.member())
        stack.enter_context(scene.model_server())
        nginx_pid = stack.enter_context(scene.nginx(folder))
        operator = await stack.enter_async_context(Operating(pod))
        assert (await operator.vouch(pod.session())).ready
        await stack.enter_async_context(operator.beating())
        assert pod.run_measure() == 0
        with pod.sidecar() as sidecar:
            scene.pin(sidecar.pid, scene.PROXY_CORE)
            pids = {"sidecar": sidecar.pid, "nginx": nginx_pid}
            found = Measurements(pids)
            for number in range(ROUNDS):
                sys.stderr.write(f"round {number + 1} of {ROUNDS}\n")
                for target in scene.TARGETS:
                    found.run("json-1", target, whole, 1)
                    found.run("json-32", target, whole, 32)
                    found.run("stream", target, stream, 8)
                    found.run("call-1", target, call, 1)
            memory = {target: memory_mib(pid) for target, pid in pids.items()}
    publish("sidecar", figures(found, memory))


def main() -> None:
    """Move into a namespace of our own, then measure."""
    if sys.argv[1:] != ["--inside"]:
        command = f"{sys.executable} -m tests.bench.sidecar --inside"
        arguments = ["--user", "--map-root-user", "--net", "sh", "-c", NETWORK + command]
        os.execvp("unshare", ["unshare", *arguments])  # noqa: S606
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(inside(Path(folder)))


if __name__ == "__main__":
    main()
