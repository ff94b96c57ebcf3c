"""A pod's processes as their node sees them, for what nobody may ask through the API server.

The nodes of both providers share this machine's kernel.
"""

import subprocess
from pathlib import Path
from typing import Any


def processes(pod: dict[str, Any], word: str) -> list[int]:
    """Process ids, on this machine, of the pod's processes whose command line holds ``word``."""
    uid = pod["metadata"]["uid"]
    # cgroup drivers write a UID with dashes or with underscores.
    names = (uid, uid.replace("-", "_"))
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            cgroup = (folder / "cgroup").read_text()
            line = (folder / "cmdline").read_text("utf-8", "replace")
        except OSError:
            continue
        if word in line and any(name in cgroup for name in names):
            found.append(int(folder.name))
    return found


def run_inside(pid: int, script: str) -> str:
    """Run a Python script in the process's file system; returns what it printed."""
    command = ["chroot", f"/proc/{pid}/root", "python3", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
