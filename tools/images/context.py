"""A build's context: exactly the files its Containerfile copies, and their digest."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tools.cluster.errors import ToolError
from tools.images.containerfile import copied_sources

_IGNORED_NAMES = ("__pycache__",)
_IGNORED_SUFFIXES = (".pyc",)


class MissingSource(ToolError):
    """A Containerfile copies a path that the checkout does not have."""


def _files_below(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
        return
    for folder, folders, names in os.walk(source):
        folders[:] = sorted(name for name in folders if name not in _IGNORED_NAMES)
        for name in sorted(names):
            if not name.endswith(_IGNORED_SUFFIXES):
                yield Path(folder) / name


def context_files(checkout: Path, containerfile: Path) -> list[Path]:
    """Every file the build sees, relative to the checkout, in a fixed order."""
    found: set[Path] = set()
    for name in copied_sources(containerfile.read_text()):
        source = checkout / name
        if not source.exists():
            raise MissingSource(
                f"{containerfile.relative_to(checkout)} copies {name}: no such path"
            )
        found.update(path.relative_to(checkout) for path in _files_below(source))
    return sorted(found)


def inputs_digest(checkout: Path, containerfile: Path, extra: list[str]) -> str:
    """The digest of the Containerfile, of all files it copies and of what else decides."""
    hashed = hashlib.sha256()
    for word in [*extra, containerfile.read_text()]:
        _feed(hashed, word.encode())
    for path in context_files(checkout, containerfile):
        full = checkout / path
        _feed(hashed, f"{path.as_posix()} {int(os.access(full, os.X_OK))}".encode())
        _feed(hashed, full.read_bytes())
    return f"sha256:{hashed.hexdigest()}"


def _feed(hashed: hashlib._Hash, data: bytes) -> None:
    # With its length before it, no part can pass for two others.
    hashed.update(len(data).to_bytes(8, "big"))
    hashed.update(data)


def stage(checkout: Path, containerfile: Path, target: Path) -> None:
    """Copy the context's files to an empty folder, with the same times and modes everywhere."""
    for path in context_files(checkout, containerfile):
        copy = target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(checkout / path, copy)
        copy.chmod(0o755 if os.access(checkout / path, os.X_OK) else 0o644)
        os.utime(copy, (0, 0))
    for folder, _, _ in os.walk(target, topdown=False):
        Path(folder).chmod(0o755)
        os.utime(folder, (0, 0))
