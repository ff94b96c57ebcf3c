"""Small files that outlive a crash: whole or not at all, and on disk for certain."""

import os
import re
from pathlib import Path
from typing import Final

from quorate.errors import InvalidInput, LimitExceeded

TEMPORARY: Final = ".new"
"""Suffix of what a crash left half-written."""


def make_directory(directory: Path) -> None:
    """Make it if it is not there. Raises InvalidInput if that fails."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"cannot be made: {error.strerror}", field=str(directory)) from None


def names_in(directory: Path, pattern: re.Pattern[str], most: int, what: str) -> list[str]:
    """The files whose names match ``pattern``, in order; what a crash left has another name.

    Raises InvalidInput if they cannot be listed, LimitExceeded if there are more than ``most``;
    ``what`` they are stands in the message.
    """
    try:
        names = sorted(name for name in os.listdir(directory) if pattern.match(name))
    except OSError as error:
        raise InvalidInput(error.strerror or "", field=str(directory)) from None
    if len(names) > most:
        raise LimitExceeded(f"more than {most} {what}", field=str(directory))
    return names


def replace(path: Path, data: bytes) -> None:
    """Write or replace a file. Raises OSError."""
    temporary = path.with_suffix(TEMPORARY)
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make sure that names made or removed in ``directory`` are on disk. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
