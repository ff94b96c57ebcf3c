"""Remove a local cluster, whole or half made, whether or not its records survived."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from tools.cluster.command import run
from tools.cluster.errors import ClusterError
from tools.cluster.flocks import locked
from tools.cluster.local import cgroups, network
from tools.cluster.local.inotify import restore_limit
from tools.cluster.local.layout import Layout
from tools.cluster.local.processes import Processes

_LOCK_SECONDS = 60.0


def parse_mounts_below(mountinfo: str, folder: Path) -> list[str]:
    """Mount points at or below a folder, deepest last made first."""
    points = []
    for line in mountinfo.splitlines():
        point = line.split(" ")[4].encode().decode("unicode_escape")
        if Path(point).is_relative_to(folder):
            points.append(point)
    return points[::-1]


def traces(cluster: str, layout: Layout) -> bool:
    """Whether anything of the cluster is left on this machine."""
    return layout.root.exists() or cgroups.exists(cluster) or network.host_link_exists(cluster)


def remove(cluster: str, layout: Layout) -> None:
    """End all processes, then remove links, cgroups, mounts and files, in this order."""
    _end_recorded(Processes(cluster, layout))
    cgroups.kill_members(cluster)
    network.remove_host_link(cluster)
    cgroups.remove(cluster)
    _unmount(layout.root)
    if layout.root.exists():
        shutil.rmtree(layout.root)
    _leave_base(layout.root.parent)


def _leave_base(base: Path) -> None:
    if not base.exists():
        return
    with locked(base, "leaving the folder of all clusters", _LOCK_SECONDS):
        restore_limit(base)
    with suppress(OSError):
        # Only the last cluster's `down` finds the base empty.
        base.rmdir()


def _end_recorded(processes: Processes) -> None:
    for name in processes.names():
        identity = processes.running(name)
        if identity is not None:
            with suppress(ProcessLookupError):
                os.kill(identity.pid, signal.SIGKILL)


def _unmount(folder: Path) -> None:
    # Mounts live in the nodes' namespaces and went with them. One that is seen here must not be
    # walked into by the removal of the folder: it could lead to the cache or the host's files.
    for point in parse_mounts_below(Path("/proc/self/mountinfo").read_text(), folder):
        run(["umount", "--lazy", point])
    left = parse_mounts_below(Path("/proc/self/mountinfo").read_text(), folder)
    if left:
        raise ClusterError(f"still mounted, so nothing below is deleted: {left}")
