"""Small files that outlive a crash: whole or not at all, and on disk for certain."""

import os
from pathlib import Path
from typing import Final

TEMPORARY: Final = ".new"
"""Suffix of what a crash left half-written."""


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
