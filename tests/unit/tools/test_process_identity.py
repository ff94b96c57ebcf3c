"""A recorded pid is trusted only with the start time and the boot it was recorded with."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tools.cluster.identity import ProcessIdentity, alive, identify

BOOT = "5f1c0c38-0000-4000-8000-000000000000"


def fake_proc(folder: Path, pid: int, stat: str) -> Path:
    """A /proc with one process."""
    (folder / "sys/kernel/random").mkdir(parents=True)
    (folder / "sys/kernel/random/boot_id").write_text(BOOT + "\n")
    (folder / str(pid)).mkdir()
    (folder / str(pid) / "stat").write_text(stat)
    return folder


def stat_line(pid: int, command: str, state: str, start_ticks: int) -> str:
    """A line of /proc/PID/stat."""
    return f"{pid} ({command}) {state} 1 " + "0 " * 17 + f"{start_ticks} 0 0\n"


def test_this_process_is_alive() -> None:
    """The kernel's real files are understood."""
    own = identify(os.getpid())
    assert own is not None
    assert alive(own)


def test_a_recycled_pid_is_another_process(tmp_path: Path) -> None:
    """The same pid with another start time is not the recorded process."""
    proc = fake_proc(tmp_path, 7, stat_line(7, "sh", "S", 100))
    recorded = identify(7, proc)
    assert recorded == ProcessIdentity(7, 100, BOOT)
    (proc / "7" / "stat").write_text(stat_line(7, "sh", "S", 101))
    assert not alive(recorded, proc)


def test_a_pid_of_an_earlier_boot_is_another_process(tmp_path: Path) -> None:
    """Start times begin again at every boot, so the boot belongs to the identity."""
    proc = fake_proc(tmp_path, 7, stat_line(7, "sh", "S", 100))
    recorded = identify(7, proc)
    assert recorded is not None
    assert not alive(replace(recorded, boot_id="another"), proc)


@pytest.mark.parametrize("command", ["a b", "x) S 1 2", ") Z (", "kube)"])
def test_a_command_name_cannot_shift_the_fields(tmp_path: Path, command: str) -> None:
    """The process's name may hold spaces and parentheses."""
    proc = fake_proc(tmp_path, 7, stat_line(7, command, "S", 4711))
    assert identify(7, proc) == ProcessIdentity(7, 4711, BOOT)


def test_a_zombie_is_dead(tmp_path: Path) -> None:
    """A process that only waits to be reaped does not count as running."""
    proc = fake_proc(tmp_path, 7, stat_line(7, "etcd", "Z", 100))
    assert identify(7, proc) is None


def test_an_ended_process_is_dead() -> None:
    """A pid that is gone is nobody."""
    child = subprocess.Popen(["true"])
    child.wait()
    assert identify(child.pid) is None
