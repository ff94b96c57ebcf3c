"""The cache outside the tree: what it holds outlives ``down`` and serves every checkout."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """The ``quorate`` folder in QUORATE_CACHE, XDG_CACHE_HOME or ~/.cache, created if absent."""
    base = os.environ.get("QUORATE_CACHE") or os.environ.get("XDG_CACHE_HOME")
    root = (Path(base) if base else Path.home() / ".cache").absolute() / "quorate"
    root.mkdir(parents=True, exist_ok=True)
    return root
