"""``make bench ROOM=escape``: what one look of the escape scan costs the operator.

The pods come as JSON pages, as the API server sends them, without a network. The floor is reading
that JSON. First all pods are as the operator released them; then every one is an escape.
"""

import asyncio
import copy
import json
import logging
import resource
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from quorate import names
from quorate.admission import released
from quorate_operator.kinds import ANY_POD, Kind
from tests.bench.report import Figure, publish
from tests.unit.admission.pod_builder import PodBuilder
from tests.unit.operator.scene import TEAM
from tests.unit.operator.test_escape_scan import KEY, Stand, looked

PODS = 10_000
Document = dict[str, Any]


def texts(stand: Stand, *, escaped: bool) -> list[str]:
    """Pods as JSON: all released, or all without a sidecar."""
    model = PodBuilder(stand.cluster.world.store.snapshot()).released().build()
    model["spec"]["nodeName"], model["status"] = "node-1", {"phase": "Running"}
    found = []
    for index in range(PODS):
        pod: Document = copy.deepcopy(model)
        uid = f"11111111-2222-3333-4444-{index:012}"
        pod["metadata"] |= {"name": f"pod-{index}", "namespace": TEAM, "uid": uid}
        if escaped:
            pod["spec"]["initContainers"] = []
        else:
            shown = released.mark(KEY, uid, released.changeable(pod))
            pod["metadata"]["annotations"] = {names.RELEASED_ANNOTATION: shown}
        found.append(json.dumps(pod))
    return found


def serve(stand: Stand, pods: list[str]) -> None:
    """Have the API server in memory list these pods, page by page."""
    others = stand.api.list

    async def listed(kind: Kind, namespace: str = "", page: int = 500) -> AsyncIterator[Document]:
        if kind is not ANY_POD:
            async for item in others(kind, namespace, page):
                yield item
            return
        for start in range(0, len(pods), page):
            for item in json.loads(f"[{','.join(pods[start : start + page])}]"):
                yield item
            await asyncio.sleep(0)

    stand.api.list = listed  # type: ignore[method-assign]


async def measured(*, escaped: bool) -> list[Figure]:
    """CPU and memory of one look."""
    stand = await looked()
    pods = texts(stand, escaped=escaped)
    serve(stand, pods)
    begun = time.process_time()
    for text in pods:
        json.loads(text)
    reading, before = time.process_time() - begun, _rss_mib()
    begun = time.process_time()
    await stand.look()
    spent = time.process_time() - begun
    what = "escapes" if escaped else "released pods"
    found = stand.gauge("escaped_pods", rule="PodEscaped") or 0
    if found != (PODS if escaped else 0):
        raise SystemExit(f"{found} escapes among {PODS} {what}")
    return [
        Figure(f"{PODS} {what}: CPU of a look", spent, "s", "<=5", reading),
        Figure(f"{PODS} {what}: memory beyond", _rss_mib() - before, "MiB", "<=64"),
    ]


def _rss_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Measure, print, write."""
    logging.disable(logging.CRITICAL)
    figures = asyncio.run(measured(escaped=False)) + asyncio.run(measured(escaped=True))
    publish("escape", figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
