"""Members of the installation that are late, or approve whatever they are asked, for a while."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from quorate import names
from tests.e2e.installation import SYSTEM
from tests.e2e.member_logs import running
from tests.e2e.tenant import Document, eventually
from tools.demo.cluster import Cluster, images
from tools.demo.members import wait_for_members

PORT = 8443
LATE_SECONDS = 0.5

_PROXY = """
import asyncio, sys
host, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])

async def carry(source, to, seconds):
    try:
        while data := await source.read(65536):
            await asyncio.sleep(seconds)
            to.write(data)
            await to.drain()
    except OSError:
        pass
    to.close()

async def connected(reader, writer):
    try:
        there, back = await asyncio.open_connection(host, port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(carry(reader, back, 0.0), carry(there, writer, seconds))

async def main():
    async with await asyncio.start_server(connected, "", port) as server:
        await server.serve_forever()

asyncio.run(main())
"""

_ALWAYS_YES = """
import sys
from quorate.consensus.member import Judgement
from quorate.consensus.wire import Verdict
from quorate_consensus import __main__ as program
from quorate_consensus.judges.panel import Panel

async def judge(self, request, left_ms):
    return Judgement(Verdict.APPROVE, 0)

Panel.judge = judge
Panel.at_once = lambda self, request, left_ms: None
sys.exit(program.main())
"""


def crash(cluster: Cluster, member: str) -> None:
    """Kill the member's process; its container starts again, with what it kept."""

    def restarts() -> tuple[int, bool]:
        (status,) = pod_of(cluster, member)["status"]["containerStatuses"]
        return int(status["restartCount"]), bool(status["ready"])

    before, _ = restarts()
    os.kill(running(cluster)[member], signal.SIGKILL)

    def again() -> bool:
        count, ready = restarts()
        return ready and count > before

    eventually(again, f"{member} started again")


def pod_of(cluster: Cluster, member: str) -> Document:
    """The member's pod."""
    pod: Document = cluster.get("pod", f"quorate-{member}-0", *SYSTEM)
    return pod


def _proxy(member: str, address: str) -> Document:
    """A pod that passes bytes on to the member's, and back late."""
    security = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": "proxy",
        "image": images()["client"]["reference"],
        "command": ["python3", "-c", _PROXY, address, str(PORT), str(LATE_SECONDS)],
        "ports": [{"name": "https", "containerPort": PORT}],
        "readinessProbe": {"tcpSocket": {"port": "https"}, "periodSeconds": 1},
        "securityContext": security,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"late-{member}",
            "namespace": names.NAMESPACE,
            "labels": {"e2e-late": member},
        },
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
        },
    }


@contextmanager
def late(cluster: Cluster, member: str) -> Iterator[None]:
    """What the member answers comes half a second late: its Service leads through a proxy.

    Connections that are open go on as they are; who wants them late begins them in here.
    """
    service, name = f"quorate-{member}", f"late-{member}"
    selector = cluster.get("service", service, *SYSTEM)["spec"]["selector"]
    try:
        cluster.apply(_proxy(member, pod_of(cluster, member)["status"]["podIP"]))
        ready = ("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=60s")
        cluster.kubectl(*ready, *SYSTEM, timeout=90)
        _lead(cluster, service, {"e2e-late": member})
        yield
    finally:
        _lead(cluster, service, selector)
        gone = ("delete", "pod", name, "--ignore-not-found", "--wait=true")
        cluster.kubectl(*gone, *SYSTEM)


def _lead(cluster: Cluster, service: str, selector: dict[str, str]) -> None:
    patch = [{"op": "replace", "path": "/spec/selector", "value": selector}]
    cluster.kubectl("patch", "service", service, "--type=json", "-p", json.dumps(patch), *SYSTEM)


@contextmanager
def always_yes(cluster: Cluster, member: str) -> Iterator[None]:
    """The member runs its own program with its own key, but for what its judges say."""
    try:
        bend(cluster, member)
        wait_for_members(cluster)
        yield
    finally:
        straighten(cluster, member)
        wait_for_members(cluster)


_COMMAND = "/spec/template/spec/containers/0/command"


def bend(cluster: Cluster, member: str) -> None:
    """Have it approve whatever it is asked; the operator replaces its pod."""
    command = ["python3", "-P", "-c", _ALWAYS_YES]
    _patch(cluster, member, {"op": "add", "path": _COMMAND, "value": command})


def straighten(cluster: Cluster, member: str) -> None:
    """Have it run its own program again."""
    _patch(cluster, member, {"op": "remove", "path": _COMMAND})


def _patch(cluster: Cluster, member: str, patch: Document) -> None:
    of = ("statefulset", f"quorate-{member}", "--type=json", "-p", json.dumps([patch]))
    cluster.kubectl("patch", *of, *SYSTEM)
