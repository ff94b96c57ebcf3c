"""Prometheus' own checker: from the PATH, or out of Debian's package into the cache."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from tools.cluster.cache import cache_root


def promtool() -> str:
    """Path of promtool. Nothing is installed: the package is only unpacked."""
    on_path = shutil.which("promtool")
    if on_path:
        return on_path
    cached = cache_root() / "promtool"
    if not cached.exists():
        with tempfile.TemporaryDirectory() as folder:
            run = {"cwd": folder, "check": True, "capture_output": True, "timeout": 300}
            subprocess.run(["apt-get", "download", "prometheus"], **run)  # type: ignore[call-overload]
            (package,) = Path(folder).glob("prometheus_*.deb")
            subprocess.run(["dpkg", "-x", package.name, "unpacked"], **run)  # type: ignore[call-overload]
            fresh = cached.with_suffix(".new")
            shutil.copy2(Path(folder) / "unpacked/usr/bin/promtool", fresh)
            fresh.rename(cached)
    return str(cached)
