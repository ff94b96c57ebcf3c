"""Run a command to its end, with its output in the error when it fails."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.cluster.errors import CommandFailed

_ERROR_TAIL_CHARACTERS = 4000
# Before a command that leaves mounts behind when it ends or is killed: they end with it.
OWN_MOUNTS = ("unshare", "--mount", "--propagation", "private", "--")


def run(
    argv: Sequence[str | Path],
    *,
    stdin: str | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_seconds: float = 120,
) -> str:
    """Return the standard output; raise CommandFailed on a non-zero exit, absence or timeout."""
    words = [str(word) for word in argv]
    shown = shlex.join(words)
    try:
        done = subprocess.run(
            words,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            cwd=cwd,
            env=env,
            timeout=timeout_seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise CommandFailed(f"{words[0]} is not installed (wanted for: {shown})") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"no end after {timeout_seconds:g} s: {shown}") from error
    if done.returncode != 0:
        tail = (done.stderr or done.stdout)[-_ERROR_TAIL_CHARACTERS:].strip()
        raise CommandFailed(f"exit code {done.returncode}: {shown}\n{tail}")
    return done.stdout
