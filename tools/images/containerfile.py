"""What a Containerfile takes from its context, so that only changes of that rebuild the image."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

from tools.cluster.errors import ToolError


class BadContainerfile(ToolError):
    """The Containerfile says something that the image tool cannot follow."""


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions with upper-case keyword, continued lines joined, comments dropped."""
    found: list[tuple[str, str]] = []
    pending = ""
    for line in text.splitlines():
        if line.lstrip().startswith("#") or (not pending and not line.strip()):
            continue
        pending += line.rstrip()
        if pending.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        keyword, _, rest = pending.strip().partition(" ")
        found.append((keyword.upper(), rest.strip()))
        pending = ""
    if pending:
        raise BadContainerfile("the last line ends with a backslash")
    return found


def copied_sources(text: str) -> list[str]:
    """Paths in the context that COPY instructions take, sorted; other stages do not count."""
    sources: set[str] = set()
    for keyword, rest in instructions(text):
        if keyword == "ADD":
            raise BadContainerfile("use COPY instead of ADD: its sources are plain files")
        if keyword == "COPY":
            sources.update(_sources(rest))
    return sorted(sources)


def _sources(rest: str) -> list[str]:
    words = rest.split()
    while words and words[0].startswith("--"):
        if words.pop(0).startswith("--from="):
            return []
    if words and words[0].startswith("["):
        words = json.loads(" ".join(words))
    if len(words) < 2:
        raise BadContainerfile(f"COPY needs a source and a destination: COPY {rest}")
    for source in words[:-1]:
        path = PurePosixPath(source)
        if path.is_absolute() or ".." in path.parts or set(source) & set("*?[$"):
            raise BadContainerfile(f"COPY must name plain paths inside the context: {source}")
    return words[:-1]
