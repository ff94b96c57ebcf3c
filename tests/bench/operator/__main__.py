"""``make bench ROOM=operator``: how long it takes until many AttestedModels are certified.

An API server of its own, with one member and one operator as processes of this machine, each with
the rights the chart gives it. Every model has files, a signature and a gate of its own; they are
created in one call. The time runs from that call to the last model that is Ready. The floor is the
creation alone, at the same API server and of objects of the same size, before anybody watches.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from quorate import names
from quorate.manifest import manifest
from tests.bench.report import Figure, publish
from tests.bench.usage import cpu_seconds, memory_mib
from tests.contract.operator import control_plane
from tests.fakes import vouching
from tests.integration.operator.installation import Installation, Part, eventually

NAMESPACE = "bench"
LIFE_SECONDS = 3600
WAIT_SECONDS = 300.0
_READY = '{.metadata.name} {.status.conditions[?(@.type=="Ready")].status}{"\\n"}'


def models(count: int) -> list[dict[str, Any]]:
    """A policy, then so many models that one owner signed and one evaluator judged."""
    owner, producer = vouching.signer(), vouching.signer()
    spec = {
        "model": {
            "signers": vouching.signers(owner),
            "gates": [vouching.gate(producer)],
            "servers": [{"name": "server", "digest": vouching.SERVER_DIGEST}],
        },
        "runtime": {"upstream": {"port": 8000, "probePaths": ["/health"]}},
    }
    policy = vouching.policy(spec, name=NAMESPACE, selector={})
    policy["metadata"] = {"name": NAMESPACE}
    documents = [policy]
    finished = datetime.now(UTC) - timedelta(minutes=1)
    for index in range(count):
        files = manifest([("config.json", "0" * 64), ("weights", f"{index:064x}")])
        document = vouching.attested_model(
            files,
            bundles=(vouching.bundle(files, owner),),
            gates=(vouching.gate_result(files, producer, finished_at=finished),),
            name=f"model-{index:05}",
            namespace=NAMESPACE,
        )
        document["metadata"] = {"name": f"model-{index:05}", "namespace": NAMESPACE}
        documents.append(document)
    return documents


def created(installation: Installation, documents: list[dict[str, Any]]) -> float:
    """Create the objects in one call; seconds it took."""
    listing = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
    begun = time.monotonic()
    installation.kubectl("create", "-f", "-", stdin=listing)
    return time.monotonic() - begun


def certified(installation: Installation, documents: list[dict[str, Any]]) -> tuple[float, float]:
    """Create the models and watch them; seconds of the creation, and until the last is Ready."""
    kubectl = (
        installation.plane.kubectl_path,
        f"--kubeconfig={installation.plane.kubeconfig}",
        *("-n", NAMESPACE, "get", "attestedmodels", "--watch", "-o", f"jsonpath={_READY}"),
    )
    with subprocess.Popen(kubectl, stdout=subprocess.PIPE, text=True) as watch:
        try:
            begun = time.monotonic()
            creation = created(installation, documents)
            ready: set[str] = set()
            assert watch.stdout is not None
            while len(ready) < len(documents) and time.monotonic() - begun < WAIT_SECONDS:
                name, _, status = watch.stdout.readline().strip().partition(" ")
                if status == "True":
                    ready.add(name)
            if len(ready) < len(documents):
                sys.exit(f"only {len(ready)} of {len(documents)} models were certified")
            return creation, time.monotonic() - begun
        finally:
            watch.terminate()


def measured(installation: Installation, count: int) -> list[Figure]:
    """The figures, with member and operator running."""
    installation.kubectl("create", "namespace", NAMESPACE)
    policy, *documents = models(count)
    floor = created(installation, documents)
    # One request for all of them: kubectl would send one each.
    collection = f"/apis/{names.API_VERSION}/namespaces/{NAMESPACE}/attestedmodels"
    installation.kubectl("delete", "--raw", collection)
    installation.apply(policy)
    with (
        installation.member(certificate_life=LIFE_SECONDS) as member,
        installation.operator() as operator,
    ):
        parts: tuple[Part, ...] = (operator, member)
        before = [cpu_seconds(part.process.pid) for part in parts]
        creation, seconds = certified(installation, documents)
        eventually(operator.ready, "the operator is ready still")
        spent = [
            (cpu_seconds(part.process.pid) - begun) / count * 1e3
            for part, begun in zip(parts, before, strict=True)
        ]
        memory = memory_mib(operator.process.pid), memory_mib(member.process.pid)
    return [
        Figure(f"{count} models, created", creation, "s", None, floor),
        Figure(f"{count} models, created and certified", seconds, "s", "<=60", floor),
        Figure("operator, CPU a model", spent[0], "ms"),
        Figure("member, CPU a model", spent[1], "ms"),
        Figure("operator, RSS", memory[0], "MiB"),
        Figure("member, RSS", memory[1], "MiB"),
    ]


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=1000)
    count = parser.parse_args().models
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "plane").mkdir()
        (folder / "installation").mkdir()
        with control_plane.running(folder / "plane") as plane:
            installation = Installation(plane, folder / "installation")
            installation.prepare()
            publish("operator", measured(installation, count))
    return 0


if __name__ == "__main__":
    sys.exit(main())
