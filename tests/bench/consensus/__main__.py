"""What a member costs: CPU per state, per judgement, per relayed object; memory when full.

``python -m tests.bench.consensus`` prints a table and writes ``build/bench/consensus.json``. CPU is
the member's own, from the kernel's accounting of its process; the client's is not in it.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from quorate.keys import LocalSigner
from quorate_consensus.epochs import Epochs
from quorate_consensus.issuing import Committee, vote
from quorate_consensus.relay import read_model, read_policy
from quorate_io import member_api, tls
from quorate_io.member_api import ObservedBatch, ObservedPod
from tests.bench.report import Figure, publish
from tests.bench.usage import cpu_seconds, memory_mib, per_call
from tests.integration.consensus.member_process import Cluster
from tests.integration.consensus.operating import Operating

MODELS, PODS, BATCH = 1_000, 10_000, 250
REQUESTS = 6_000
CONCURRENT = 32


def judging(cluster: Cluster) -> Iterator[Figure]:
    """Judging one small model in this process: a signature, a gate, a vote."""
    committee = Committee(Epochs(cluster.genesis), LocalSigner(cluster.vote_key), 3600, 600)
    policy, model = read_policy(cluster.floor()), read_model(cluster.model())
    now = datetime.now(UTC).replace(microsecond=0)
    key, signer = cluster.owner.public_key, LocalSigner(cluster.vote_key)
    data = b"x" * 1000
    signature = cluster.owner.sign(data)

    def bare() -> None:
        key.verify(signature, data)
        key.verify(signature, data)
        signer.sign(data)

    signatures = per_call(2000, bare)
    judgement = per_call(300, lambda: vote(committee, policy, model, now))
    yield Figure("vote for one model under one policy", judgement, "us CPU", floor=signatures)
    documents = cluster.floor(), cluster.model()
    yield Figure(
        "read and compile one policy and one model",
        per_call(200, lambda: (read_policy(documents[0]), read_model(documents[1]))),
        "us CPU",
    )


def session(cluster: Cluster) -> list[ObservedBatch]:
    """A whole session: 1,000 models with their certificates, and 10,000 pods, in batches."""
    model, policy = cluster.model(), read_policy(cluster.floor())
    committee = Committee(Epochs(cluster.genesis), LocalSigner(cluster.vote_key), 3600, 600)
    now = datetime.now(UTC).replace(microsecond=0)

    def named(n: int) -> dict[str, Any]:
        named = model | {"metadata": model["metadata"] | {"name": f"model-{n}"}}
        voted = vote(committee, policy, read_model(named), now)
        return named | {member_api.CERTIFICATES_FIELD: [voted.envelope]}

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


async def relaying(cluster: Cluster, pid: int, operator: Operating) -> list[Figure]:
    """Resynchronise a member that knows nothing."""
    batches = session(cluster)
    size = sum(len(msgspec.json.encode(batch)) for batch in batches) / 2**20
    cpu, wall = cpu_seconds(pid), time.monotonic()
    for batch in batches:
        await operator.observe(batch)
    cpu, wall = cpu_seconds(pid) - cpu, time.monotonic() - wall
    return [
        Figure(f"resync {MODELS} models, {PODS} pods ({size:.0f} MiB)", wall, "s", "<=60"),
        Figure("resync, per object", cpu / (MODELS + PODS) * 1e6, "us CPU"),
    ]


async def stating(cluster: Cluster, pid: int) -> list[Figure]:
    """States of many pods over kept connections: first all models are judged, then none."""
    tokens = [cluster.pod_token(uid=f"uid-{n}", pod=f"chat-{n}") for n in range(REQUESTS)]
    connector = aiohttp.TCPConnector(ssl=tls.unverified_context(), limit=CONCURRENT)
    rows: list[Figure] = []
    async with aiohttp.ClientSession(connector=connector) as http:
        for name, share in (
            ("first state of a pod, model judged for it, certificate verified", tokens[:MODELS]),
            ("first state of a pod, model known", tokens[MODELS:]),
            ("later state of a pod, token known", tokens[MODELS:]),
        ):
            cpu, wall = cpu_seconds(pid), time.monotonic()
            await _ask_all(http, cluster.url, share)
            cpu, wall = cpu_seconds(pid) - cpu, time.monotonic() - wall
            rows.append(Figure(name, cpu / len(share) * 1e6, "us CPU"))
            rows.append(Figure(f"{name}: rate", len(share) / wall, "1/s"))
            await asyncio.sleep(4)  # longer than a signed state is remembered
    last = rows[-2].value
    rows.append(Figure(f"{PODS} pods, a state every 10 s", last * PODS / 10 / 1e4, "% of a core"))
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


async def measure() -> list[Figure]:
    """All rows."""
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder))
        rows = list(judging(cluster))
        with cluster.member() as process:
            empty = memory_mib(process.pid)
            async with Operating(cluster) as operator:
                rows += await relaying(cluster, process.pid, operator)
            rows += await stating(cluster, process.pid)
            rows.append(Figure("RSS, empty", empty, "MiB"))
            full = memory_mib(process.pid)
            rows.append(Figure(f"RSS, {MODELS} models, {PODS} pods", full, "MiB", "<=256"))
    return rows


def main() -> int:
    """Print the table and write the file."""
    publish("consensus", asyncio.run(measure()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
