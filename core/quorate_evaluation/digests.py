"""Digests of what was run: the suite as it decided, its texts, and this package as the harness."""

import hashlib
from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import ModuleType

from quorate.canonical import digest_of
from quorate_evaluation.interface import Suite, Threshold


def suite_digest(suite: Suite, thresholds: Iterable[Threshold]) -> str:
    """The digest a policy lists in ``suites``.

    It covers the thresholds in force: whoever loosens one has run another suite, which no policy
    accepts until it names it.
    """
    bounds = sorted({f"{item} {'warns' if item.warns else 'fails'}" for item in thresholds})
    return digest_of({"name": suite.name, "definition": suite.digest, "thresholds": bounds})


def harness_digest() -> str:
    """The digest of this package's sources: names and contents, by name, without texts."""
    root = files("quorate_evaluation")
    return _digest(sorted(_sources(root, "")))


def source_digest(module: ModuleType | str) -> str:
    """The digest of one module's source."""
    name = module if isinstance(module, str) else module.__name__
    package, _, stem = name.rpartition(".")
    return sha256((files(package) / f"{stem}.py").read_bytes())


def sha256(data: bytes) -> str:
    """``sha256:<hex>`` of bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _sources(folder: Traversable, prefix: str) -> Iterable[tuple[str, bytes]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _sources(item, f"{prefix}{item.name}/")
        elif item.name.endswith(".py"):
            yield f"{prefix}{item.name}", item.read_bytes()


def _digest(sources: Iterable[tuple[str, bytes]]) -> str:
    return digest_of({name: sha256(data) for name, data in sources})
