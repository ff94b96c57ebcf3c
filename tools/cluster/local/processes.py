"""Start, watch and stop the components of a local cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tools.cluster.errors import ComponentFailed
from tools.cluster.identity import ProcessIdentity, alive, identify
from tools.cluster.local import cgroups
from tools.cluster.local.layout import Layout
from tools.cluster.local.state import write_atomically

_LOG_TAIL_LINES = 15
_LOG_TAIL_BYTES = 8192
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.1
# A fixed environment: proxies or Go settings of the caller must not change the cluster.
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Component:
    """One long-running program and the namespaces it runs in."""

    name: str
    argv: tuple[str, ...]
    inside: str | None = None
    """The component whose namespaces this one enters (None: the host's)."""

    env: dict[str, str] = field(default_factory=dict)
    path: str = ""
    """Folders before the system's in PATH."""


def tail(log: Path) -> str:
    """The last lines of a log, for error messages."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return "(no log)"
    return "\n".join(text.splitlines()[-_LOG_TAIL_LINES:])


class Processes:
    """The running components of one cluster."""

    def __init__(self, cluster: str, layout: Layout) -> None:
        self._cluster = cluster
        self._layout = layout

    def recorded(self, name: str) -> ProcessIdentity | None:
        """What was recorded for a component, alive or not."""
        try:
            return ProcessIdentity(**json.loads(self._layout.pid_file(name).read_text()))
        except (FileNotFoundError, json.JSONDecodeError, TypeError):
            return None

    def running(self, name: str) -> ProcessIdentity | None:
        """The component's process if it lives."""
        identity = self.recorded(name)
        return identity if identity is not None and alive(identity) else None

    def names(self) -> list[str]:
        """Every component that was ever started in this cluster."""
        return sorted(path.stem for path in (self._layout.root / "pids").glob("*.json"))

    def start(self, component: Component) -> bool:
        """Start a component unless it runs; True when it was started."""
        if self.running(component.name):
            return False
        log = self._layout.log(component.name)
        group = cgroups.components_group(self._cluster) / "cgroup.procs"
        # The shell joins the cgroup first: even a component whose record was never written
        # (this tool killed in between) is found and ended by `down`.
        script = f'echo $$ > "{group}" && exec "$@"'
        env = {"PATH": f"{component.path}:{_SYSTEM_PATH}", "HOME": "/root", "LANG": "C.UTF-8"}
        with log.open("ab") as output:
            child = subprocess.Popen(
                ["/bin/sh", "-c", script, "sh", *self._entering(component), *component.argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=env | component.env,
                start_new_session=True,
            )
        identity = identify(child.pid)
        if identity is None:
            raise self.failed(component.name, "ended at once")
        record = json.dumps(asdict(identity))
        write_atomically(self._layout.pid_file(component.name), record)
        return True

    def _entering(self, component: Component) -> list[str]:
        if component.inside is None:
            return []
        holder = self.running(component.inside)
        if holder is None:
            raise self.failed(component.inside, f"is gone, so {component.name} cannot start")
        namespaces = f"/proc/{holder.pid}/ns"
        return ["nsenter", f"--net={namespaces}/net", f"--mount={namespaces}/mnt", "--wd=/", "--"]

    def enter(self, holder_name: str) -> list[str]:
        """The words before a command that run it in a holder's namespaces."""
        return self._entering(Component("command", (), inside=holder_name))

    def stop(self, name: str) -> bool:
        """End a component, by SIGKILL when SIGTERM does not do; True when it ran."""
        identity = self.running(name)
        if identity is None:
            return False
        os.kill(identity.pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while alive(identity):
            if time.monotonic() > deadline:
                os.kill(identity.pid, signal.SIGKILL)
            time.sleep(_POLL_SECONDS)
        return True

    def wait(self, name: str, ready: Callable[[], bool], seconds: float, what: str) -> None:
        """Poll until ready; ComponentFailed with the log's end when it dies or takes too long."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running(name):
                raise self.failed(name, f"ended before: {what}")
            if time.monotonic() > deadline:
                raise self.failed(name, f"not within {seconds:g} s: {what}")
            time.sleep(_POLL_SECONDS)

    def failed(self, name: str, problem: str) -> ComponentFailed:
        """The error for a component, with where its log is and how it ends."""
        log = self._layout.log(name)
        return ComponentFailed(f"{name}: {problem}\nlog: {log}\n{tail(log)}")
