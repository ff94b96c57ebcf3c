"""``make bench ROOM=admission``: what admission costs when many pods are created at once.

Needs the cluster with the chart (``make up chart``). The same pod is created, as a server-side dry
run, in an enforced namespace, in one behind a webhook that decides nothing and adds the same patch
(floor), and in an ordinary one; the three take turns, burst by burst. Client, API server, webhooks
and etcd share the machine: trust the ratios.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.bench.admission.load import ApiServer, Outcome, bodies, burst
from tests.bench.admission.meter import Meter, Used
from tests.bench.admission.places import Places
from tests.bench.closed_loop import percentile
from tests.bench.report import Figure, publish
from tests.e2e.artifacts import build_models
from tests.e2e.tenant import Tenant
from tools.demo.cluster import Cluster, images, running_cluster

WARM_BURSTS = 2
RATIO = "<=1.3"
COST_LEVEL = 50
CPU_TARGET = "<=240"
"""Two reviews a create, 120 µs each."""


async def level(
    server: ApiServer, places: Places, names: tuple[str, ...], concurrent: int, bursts: int
) -> dict[str, Outcome]:
    """Bursts of ``concurrent`` creations in these places, in turns."""
    pods = {name: bodies(places.pod, name, concurrent) for name in names}
    outcomes = {name: Outcome() for name in pods}
    async with server.session(concurrent) as session:
        for number in range(WARM_BURSTS + bursts):
            for name, documents in pods.items():
                into = outcomes[name] if number >= WARM_BURSTS else Outcome()
                await burst(session, name, documents, name != places.plain, into)
    return outcomes


def figures(concurrent: int, ours: Outcome, noop: Outcome, plain: Outcome) -> Iterator[Figure]:
    """Of one level: what is slower is told beside the floor, and as a ratio to it."""
    what = f"{concurrent} at once"
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        own, floor = percentile(ours.waits, share), percentile(noop.waits, share)
        yield Figure(f"{what}, {name}", own, "ms", floor=floor)
        yield Figure(f"{what}, {name}, no webhook", percentile(plain.waits, share), "ms")
        yield Figure(f"{what}, {name} to the no-op's", own / floor, "", RATIO, 1)
    rate, floor_rate = len(ours.waits) / ours.seconds, len(noop.waits) / noop.seconds
    yield Figure(f"{what}, creates a second", rate, "1/s", floor=floor_rate)
    yield Figure(f"{what}, creates a second, no webhook", len(plain.waits) / plain.seconds, "1/s")
    yield Figure(f"{what}, failures", len(ours.failures), "", "<=0", len(noop.failures))
    yield Figure(f"{what}, let in without the gate", ours.ungated, "", "<=0", noop.ungated)


def used(creates: int, ours: Used, noop: Used, plain: Used) -> Iterator[Figure]:
    """What a create costs whom, at one level."""
    yield Figure(
        f"webhook CPU a create, both reviews ({COST_LEVEL} at once)",
        ours.webhook_seconds / creates * 1e6,
        "µs",
        CPU_TARGET,
        noop.webhook_seconds / creates * 1e6,
    )
    yield Figure(
        "new connections to the webhook a create",
        ours.connections / creates,
        "",
        floor=noop.connections / creates,
    )
    own, floor, none = (use.api_server_seconds / creates * 1e3 for use in (ours, noop, plain))
    yield Figure("API server CPU a create", own, "ms", floor=floor)
    yield Figure("API server CPU a create, no webhook", none, "ms")
    yield Figure("webhook RSS, largest replica", ours.resident, "MiB", "<=120", noop.resident)


def costs(meter: Meter, server: ApiServer, places: Places, creates: int) -> Iterator[Figure]:
    """The three places one after the other, each with what it used."""
    spent = []
    bursts = max(3, creates // COST_LEVEL)
    for name in (places.enforced, places.noop, places.plain):
        before = meter.read()
        asyncio.run(level(server, places, (name,), COST_LEVEL, bursts))
        spent.append(meter.read().since(before, noop=name == places.noop))
    yield from used((WARM_BURSTS + bursts) * COST_LEVEL, *spent)


def measure(cluster: Cluster, places: Places, levels: list[int], creates: int) -> list[Figure]:
    """Every level, then what the creates used."""
    server = ApiServer(cluster)
    rows: list[Figure] = []
    for concurrent in levels:
        bursts = max(3, creates // concurrent)
        names = (places.enforced, places.noop, places.plain)
        outcomes = asyncio.run(level(server, places, names, concurrent, bursts))
        for name in names:
            for text, count in Counter(outcomes[name].failures).most_common(5):
                print(f"{count} times in {name}: {text}")
        rows += figures(concurrent, *(outcomes[name] for name in names))
    return [*rows, *costs(Meter(cluster, places.noop), server, places, creates)]


def main() -> int:
    """Measure, print, write; 1 if a creation failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--levels", type=int, nargs="+", default=[50, 200, 500])
    parser.add_argument("--creates", type=int, default=2000, help="in each place, at each level")
    options = parser.parse_args()
    cluster = running_cluster()
    with tempfile.TemporaryDirectory() as scratch:
        models = build_models(Path(scratch))
    tenant = Tenant(cluster, f"bench-{os.getpid()}", models, images()["scripted"])
    places = Places(tenant)
    tenant.create()
    try:
        cluster.apply(tenant.attested())
        tenant.certified()
        places.create()
        rows = measure(cluster, places, options.levels, options.creates)
    finally:
        places.remove()
        tenant.remove()
    publish("admission", rows)
    return int(any(row.target == "<=0" and row.value > 0 for row in rows))


if __name__ == "__main__":
    sys.exit(main())
