"""What a member costs: CPU per state, per judgement, per relayed object; memory when full.

``python -m tests.bench.consensus`` prints a table and writes ``build/bench/consensus.json``. CPU is
the member's own, from the kernel's accounting of its process; the client's is not in it.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from quorate_consensus.issuing import Committee, judge
from quorate_consensus.relay import read_model, read_policy
from quorate_io import member_api, tls
from quorate_io.member_api import ObservedBatch, ObservedPod
from quorate_io.member_client import MemberClient
from tests.integration.consensus.member_process import Cluster

MODELS, PODS, BATCH = 1_000, 10_000, 250
REQUESTS = 6_000
CONCURRENT = 32
OUTPUT = Path("build/bench/consensus.json")


@dataclass(frozen=True)
class Row:
    """One figure. ``target`` as ``"<=120"``; ``floor`` and ``peer`` say what it compares with."""

    name: str
    value: float
    unit: str
    target: str = ""
    floor: str = ""
    peer: str = ""


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ValueError("no VmRSS")


def per_call(count: int, function: Callable[[], Any]) -> float:
    """CPU microseconds of one call in this process."""
    begin = time.process_time()
    for _ in range(count):
        function()
    return (time.process_time() - begin) / count * 1e6


def judging(cluster: Cluster) -> Iterator[Row]:
    """Judging one small model in this process: a signature, a gate, a certificate."""
    from quorate.keys import LocalSigner

    committee = Committee(cluster.genesis, LocalSigner(cluster.vote_key), 3600, 600)
    policy, model = read_policy(cluster.floor()), read_model(cluster.model())
    now = datetime.now(UTC)
    yield Row(
        "judge one model under one policy",
        per_call(300, lambda: judge(committee, policy, model, now)),
        "us CPU",
        floor="2 ECDSA verifications and 1 Ed25519 signature: see the next row",
    )
    key, signer = cluster.owner.public_key, LocalSigner(cluster.vote_key)
    data = b"x" * 1000
    signature = cluster.owner.sign(data)

    def bare() -> None:
        key.verify(signature, data)
        key.verify(signature, data)
        signer.sign(data)

    yield Row("the signatures of one judgement alone", per_call(2000, bare), "us CPU")
    documents = cluster.floor(), cluster.model()
    yield Row(
        "read and compile one policy and one model",
        per_call(200, lambda: (read_policy(documents[0]), read_model(documents[1]))),
        "us CPU",
    )


def session(cluster: Cluster) -> list[ObservedBatch]:
    """A whole session: 1,000 models and 10,000 pods in batches."""
    model = cluster.model()

    def named(n: int) -> dict[str, Any]:
        return model | {"metadata": model["metadata"] | {"name": f"model-{n}"}}

    def pod(n: int) -> ObservedPod:
        labels = {"quorate.dev/model": f"model-{n % MODELS}", "app": "chat"}
        return ObservedPod(uid=f"uid-{n}", namespace="team-a", name=f"chat-{n}", labels=labels)

    rest: list[dict[str, Any]] = [
        {"models": tuple(named(n) for n in range(i, i + BATCH))} for i in range(0, MODELS, BATCH)
    ]
    rest += [{"pods": tuple(pod(n) for n in range(i, i + 1_000))} for i in range(0, PODS, 1_000)]
    rest[-1]["complete"] = True
    batches = [ObservedBatch(session="s", sequence=1, reset=True, policies=(cluster.floor(),))]
    return batches + [
        ObservedBatch(session="s", sequence=n, **fields) for n, fields in enumerate(rest, 2)
    ]


async def relaying(cluster: Cluster, pid: int, operator: MemberClient) -> list[Row]:
    """Resynchronise a member that knows nothing."""
    batches = session(cluster)
    size = sum(len(msgspec.json.encode(batch)) for batch in batches) / 2**20
    cpu, wall = cpu_seconds(pid), time.monotonic()
    for batch in batches:
        await operator.observe(batch)
    cpu, wall = cpu_seconds(pid) - cpu, time.monotonic() - wall
    return [
        Row(f"resync {MODELS} models, {PODS} pods ({size:.0f} MiB)", wall, "s", "<=60"),
        Row("resync, per object", cpu / (MODELS + PODS) * 1e6, "us CPU"),
    ]


async def stating(cluster: Cluster, pid: int) -> list[Row]:
    """States of many pods over kept connections: first all models are judged, then none."""
    tokens = [cluster.pod_token(uid=f"uid-{n}", pod=f"chat-{n}") for n in range(REQUESTS)]
    connector = aiohttp.TCPConnector(ssl=tls.unverified_context(), limit=CONCURRENT)
    rows: list[Row] = []
    async with aiohttp.ClientSession(connector=connector) as http:
        for name, share in (
            ("first state of a pod, model judged for it", tokens[:MODELS]),
            ("first state of a pod, model known", tokens[MODELS:]),
            ("later state of a pod, token known", tokens[MODELS:]),
        ):
            cpu, wall = cpu_seconds(pid), time.monotonic()
            await _ask_all(http, cluster.url, share)
            cpu, wall = cpu_seconds(pid) - cpu, time.monotonic() - wall
            rows.append(Row(name, cpu / len(share) * 1e6, "us CPU"))
            rows.append(Row(f"{name}: rate", len(share) / wall, "1/s"))
            await asyncio.sleep(4)  # longer than a signed state is remembered
    last = rows[-2].value
    rows.append(Row(f"{PODS} pods, a state every 10 s", last * PODS / 10 / 1e4, "% of a core"))
    return rows


async def _ask_all(http: aiohttp.ClientSession, url: str, tokens: list[str]) -> None:
    waiting = iter(tokens)

    async def ask() -> None:
        for token in waiting:
            headers = {"Authorization": f"Bearer {token}"}
            async with http.get(url + member_api.STATE_PATH, headers=headers) as response:
                body = await response.read()
                if response.status != 200:
                    raise RuntimeError(body.decode())

    await asyncio.gather(*(ask() for _ in range(CONCURRENT)))


async def measure() -> list[Row]:
    """All rows."""
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder))
        rows = list(judging(cluster))
        with cluster.member() as process:
            empty = rss_mib(process.pid)
            async with cluster.client("operator") as operator:
                rows += await relaying(cluster, process.pid, operator)
            rows += await stating(cluster, process.pid)
            rows.append(Row("RSS, empty", empty, "MiB"))
            full = rss_mib(process.pid)
            rows.append(Row(f"RSS, {MODELS} models, {PODS} pods", full, "MiB", "<=256"))
    return rows


def main() -> int:
    """Print the table and write the file."""
    rows = asyncio.run(measure())
    for row in rows:
        note = "  ".join(part for part in (row.target, row.floor, row.peer) if part)
        sys.stdout.write(f"{row.name:<52} {row.value:>12,.1f} {row.unit:<12} {note}\n")
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
