"""Writes a release's list: every artefact in a directory, by digest."""

import hashlib
from pathlib import Path

from quorate.canonical import canonical

LIST = "release.json"
SUFFIXES = (".json", ".npz")


def listed(directory: Path) -> bytes:
    """The list of the artefacts in ``directory``: a file named for a judge is what it goes by."""
    artefacts = [
        {
            "judge": path.stem,
            "file": path.name,
            "digest": f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}",
        }
        for path in sorted(directory.iterdir())
        if path.suffix in SUFFIXES and path.name != LIST
    ]
    return canonical({"version": 1, "artefacts": artefacts})


def write_list(directory: Path) -> str:
    """Write the list; returns its digest, which is what people pin or sign."""
    data = listed(directory)
    (directory / LIST).write_bytes(data)
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
