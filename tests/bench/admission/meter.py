"""What webhooks and API server have used, as their kernel and they themselves say."""

import re
from dataclasses import dataclass

from quorate import names
from tools.demo.cluster import Cluster

# Runs inside a webhook's pod: CPU seconds, resident memory in MiB, connections taken so far.
_SCRIPT = """
import pathlib
process = pathlib.Path("/proc/1")
spent = sum(int(p.read_text().split()[0]) for p in (process / "task").glob("*/schedstat"))
status = (process / "status").read_text().split()
keys, values = [l for l in (process / "net/snmp").read_text().splitlines() if l.startswith("Tcp:")]
tcp = dict(zip(keys.split(), values.split()))
print(spent / 1e9, int(status[status.index("VmRSS:") + 1]) / 1024, tcp["PassiveOpens"])
"""
_API_SERVER = re.compile(r"^process_cpu_seconds_total (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Used:
    """Of one place's creates: seconds of CPU, MiB of the largest replica, TCP connections."""

    webhook_seconds: float
    resident: float
    connections: float
    api_server_seconds: float


@dataclass(frozen=True)
class Reading:
    """So far, of the installed webhook and of the one that does nothing."""

    ours: tuple[float, float, float]
    noop: tuple[float, float, float]
    api_server_seconds: float

    def since(self, before: "Reading", *, noop: bool) -> Used:
        """What was used between two readings, by one of the webhooks and the API server."""
        now, then = (self.noop, before.noop) if noop else (self.ours, before.ours)
        return Used(
            webhook_seconds=now[0] - then[0],
            resident=now[1],
            connections=now[2] - then[2],
            api_server_seconds=self.api_server_seconds - before.api_server_seconds,
        )


class Meter:
    """Reads all of them."""

    def __init__(self, cluster: Cluster, noop: str) -> None:
        self._cluster = cluster
        self._noop = noop

    def read(self) -> Reading:
        """One reading. The reading itself costs the API server some milliseconds."""
        metrics = self._cluster.kubectl("get", "--raw", "/metrics")
        found = _API_SERVER.search(metrics)
        assert found, "the API server does not say what it used"
        return Reading(
            ours=self._replicas(names.NAMESPACE, "app.kubernetes.io/component=webhook"),
            noop=self._replicas(self._noop, "app=noop"),
            api_server_seconds=float(found[1]),
        )

    def _replicas(self, namespace: str, selector: str) -> tuple[float, float, float]:
        """Sum of CPU and connections, most of memory."""
        seconds, resident, connections = 0.0, 0.0, 0.0
        for pod in self._cluster.get("pods", "-n", namespace, "-l", selector)["items"]:
            command = ("exec", "-n", namespace, pod["metadata"]["name"], "--", "python3", "-c")
            printed = self._cluster.kubectl(*command, _SCRIPT).split()
            seconds += float(printed[0])
            resident = max(resident, float(printed[1]))
            connections += float(printed[2])
        return seconds, resident, connections
