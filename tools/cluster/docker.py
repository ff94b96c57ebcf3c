"""Whether a Docker engine and kind can be used here."""

from __future__ import annotations

import shutil

from tools.cluster.command import run
from tools.cluster.errors import CommandFailed

_ENGINE_TIMEOUT_SECONDS = 10


def engine_answers() -> bool:
    """Whether a Docker engine answers the client on PATH."""
    if shutil.which("docker") is None:
        return False
    try:
        run(["docker", "info"], timeout_seconds=_ENGINE_TIMEOUT_SECONDS)
    except CommandFailed:
        return False
    return True


def kind_found() -> bool:
    """Whether kind is on PATH."""
    return shutil.which("kind") is not None
