"""``python -m tests.bench.webhook``: what a review costs, and what the webhook holds in memory.

The real program runs as its own process against a synthetic API server, beside a no-op server with
the same answers. CPU time is told, not wall time: the machine is shared.
"""

import argparse
import asyncio
import copy
import json
import socket
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from quorate import names
from quorate.admission.templates import TEXTS_PER_MODEL
from quorate_webhook import review as review_path
from tests.bench.report import Figure, publish
from tests.bench.usage import cpu_seconds, memory_mib
from tests.bench.webhook.cluster import Cluster, api_server
from tests.bench.webhook.files import write_installation
from tests.bench.webhook.load import send
from tests.bench.webhook.noop import __name__ as noop
from tests.bench.webhook.processes import running, wait_ready
from tests.bench.webhook.reviews import before_mutate, review
from tests.bench.webhook.tls import write_certificate

TARGET = "<=120"


@dataclass(frozen=True)
class Case:
    """Reviews of one kind, sent in turn."""

    name: str
    path: str
    bodies: tuple[bytes, ...]
    target: str | None = TARGET


def cases(pod: dict[str, Any]) -> list[Case]:
    """What API servers ask most."""
    # One more than are remembered of a model, in turn: always new.
    others = [_with_level(pod, f"level-{number}") for number in range(TEXTS_PER_MODEL + 1)]
    return [
        Case("validate CREATE, of a template seen before", review_path.VALIDATE, (review(pod),)),
        Case(
            "validate CREATE, of a new template",
            review_path.VALIDATE,
            tuple(map(review, others)),
            None,
        ),
        Case("validate UPDATE, the gate's removal", review_path.VALIDATE, (_release(pod),), None),
        Case(
            "validate UPDATE, the gate's removal, of a new template",
            review_path.VALIDATE,
            tuple(map(_release, others)),
            None,
        ),
        Case("mutate CREATE", review_path.MUTATE, (review(before_mutate(pod)),)),
    ]


def _with_level(pod: dict[str, Any], level: str) -> dict[str, Any]:
    other = copy.deepcopy(pod)
    other["spec"]["containers"][0]["env"][0]["value"] = level
    return other


def _release(pod: dict[str, Any]) -> bytes:
    released = copy.deepcopy(pod)
    del released["spec"]["schedulingGates"]
    return review(released, "UPDATE", pod, user=names.OPERATOR_USER)


def main() -> None:
    """Measure, print, write build/bench/webhook.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    publish("webhook", asyncio.run(_measure(parser.parse_args())))


async def _measure(options: argparse.Namespace) -> list[Figure]:
    cluster = Cluster(options.models, options.pods)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        write_certificate(root)
        write_installation(root, cluster.world)
        api_port = await _serve_api(cluster)
        kubeconfig = root / "kubeconfig"
        kubeconfig.write_text(json.dumps(_kubeconfig(api_port)))
        port, health = _free_port(), _free_port()
        arguments = [
            *("-m", "quorate_webhook", "--listen", f"127.0.0.1:{port}"),
            *("--health", f"127.0.0.1:{health}", "--tls-dir", str(root)),
            *("--genesis-dir", str(root), "--injection", str(root / "injection.json")),
            *("--kubeconfig", str(kubeconfig), "--drain-seconds", "0"),
        ]
        with running(arguments) as webhook:
            await asyncio.to_thread(wait_ready, health, webhook)
            return await _figures(options, cluster, root, webhook.pid, port)


async def _figures(
    options: argparse.Namespace, cluster: Cluster, root: Path, pid: int, port: int
) -> list[Figure]:
    settled = memory_mib(pid)
    rows = []
    for number, case in enumerate(cases(cluster.pod(7))):
        _, last = await send(port, case.path, case.bodies, 8)
        assert json.loads(last)["response"]["allowed"] is True, last
        answers = root / f"answers-{number}"
        answers.mkdir()
        (answers / case.path.rpartition("/")[2]).write_bytes(last)
        rows.append(await _compared(options, case, pid, port, [str(root), str(answers)]))
    what = f"{options.models} models, {options.pods} waiting pods"
    rows.append(Figure(f"RSS, {what}", memory_mib(pid), "MiB", TARGET))
    rows.append(Figure(f"RSS before the load, {what}", settled, "MiB"))
    rows.append(Figure("RSS at most", memory_mib(pid, "VmHWM"), "MiB"))
    return rows


async def _compared(
    options: argparse.Namespace, case: Case, pid: int, port: int, files: list[str]
) -> Figure:
    """CPU per review of both servers, taken in turns."""
    with running(["-m", noop, *files], stdout=subprocess.PIPE) as floor:
        assert floor.stdout is not None
        floor_port = int(await asyncio.to_thread(floor.stdout.readline))
        costs: dict[int, list[float]] = {pid: [], floor.pid: []}
        for _ in range(options.rounds):
            for process, its_port in ((floor.pid, floor_port), (pid, port)):
                began = cpu_seconds(process)
                await send(its_port, case.path, case.bodies, options.requests)
                spent = cpu_seconds(process) - began
                costs[process].append(spent / options.requests * 1e6)
        name = f"CPU per review, {case.name} ({len(case.bodies[0])} B)"
        floor_cost = statistics.median(costs[floor.pid])
        return Figure(name, statistics.median(costs[pid]), "µs", case.target, floor_cost)


async def _serve_api(cluster: Cluster) -> int:
    runner = web.AppRunner(api_server(cluster), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port: int = runner.addresses[0][1]
    return port


def _kubeconfig(port: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "bench",
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        "clusters": [{"name": "bench", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "bench", "user": {}}],
    }


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
