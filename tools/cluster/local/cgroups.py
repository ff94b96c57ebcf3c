"""The cluster's cgroup: where its nodes' pods live, and how all its processes are found."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from tools.cluster.errors import ClusterError

_KILL_SECONDS = 30.0
_UNIFIED = Path("/sys/fs/cgroup/cgroup.controllers")
_V2_CONTROLLERS = ("cpuset", "cpu", "io", "memory", "pids", "hugetlb")


def parse_mounts(mountinfo: str, kinds: tuple[str, ...] = ("cgroup",)) -> list[Path]:
    """The mount points of cgroup file systems in the text of /proc/self/mountinfo.

    The kind ``cgroup`` is a version 1 hierarchy, ``cgroup2`` the unified one.
    """
    points = []
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        if right.split(" ", 1)[0] in kinds:
            points.append(Path(left.split(" ")[4]))
    return points


def hierarchies() -> list[Path]:
    """Mount points of the hierarchies that hold the controllers here."""
    if _UNIFIED.exists():
        return [_UNIFIED.parent]
    found = parse_mounts(Path("/proc/self/mountinfo").read_text())
    if not found:
        raise ClusterError("no cgroup hierarchy is mounted below /sys/fs/cgroup")
    return found


def _enable_controllers(group: Path) -> None:
    available = (group / "cgroup.controllers").read_text().split()
    for controller in set(available).intersection(_V2_CONTROLLERS):
        (group / "cgroup.subtree_control").write_text(f"+{controller}")


def _copy_cpuset(group: Path) -> None:
    # A new cpuset group is empty, and a process cannot enter one without CPUs and memory nodes.
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (group / name).exists() and not (group / name).read_text().strip():
            (group / name).write_text((group.parent / name).read_text())


def _make_group(group: Path) -> None:
    group.mkdir(exist_ok=True)
    if _UNIFIED.exists():
        _enable_controllers(group.parent)
    else:
        _copy_cpuset(group)


def create(cluster: str, nodes: list[str]) -> None:
    """Make the cluster's groups in every hierarchy: one per node, one for the components."""
    for hierarchy in hierarchies():
        _make_group(hierarchy / cluster)
        for child in ("components", *nodes):
            _make_group(hierarchy / cluster / child)


def components_group(cluster: str) -> Path:
    """The group every component is started in (one hierarchy is enough to find them again)."""
    found = hierarchies()
    pids = [hierarchy for hierarchy in found if hierarchy.name == "pids"]
    return (pids or found)[0] / cluster / "components"


def _groups(cluster: str) -> Iterator[Path]:
    # Beside version 1, runc also makes groups in the unified hierarchy, which holds no controllers.
    mountinfo = Path("/proc/self/mountinfo").read_text()
    for hierarchy in parse_mounts(mountinfo, ("cgroup", "cgroup2")):
        for folder, _, _ in os.walk(hierarchy / cluster, topdown=False):
            yield Path(folder)


def members(cluster: str) -> set[int]:
    """The pids of every process in the cluster's groups: components, shims and pods."""
    found: set[int] = set()
    for group in _groups(cluster):
        try:
            found.update(int(pid) for pid in (group / "cgroup.procs").read_text().split())
        except (FileNotFoundError, OSError):
            continue
    return found


def kill_members(cluster: str) -> None:
    """End every process of the cluster and wait until all are gone."""
    deadline = time.monotonic() + _KILL_SECONDS
    while pids := members(cluster):
        if time.monotonic() > deadline:
            raise ClusterError(f"processes do not end after SIGKILL: {sorted(pids)}")
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def remove(cluster: str) -> None:
    """Remove the cluster's groups; they must be empty."""
    deadline = time.monotonic() + _KILL_SECONDS
    while groups := list(_groups(cluster)):
        for group in groups:
            try:
                group.rmdir()
            except FileNotFoundError:
                continue
            except OSError as error:
                if time.monotonic() > deadline:
                    raise ClusterError(f"cannot remove the cgroup {group}: {error}") from error
                time.sleep(0.05)
                break


def exists(cluster: str) -> bool:
    """Whether any group of the cluster is left."""
    return any(True for _ in _groups(cluster))
