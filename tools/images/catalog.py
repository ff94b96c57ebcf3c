"""Which images the checkout describes: one per Containerfile, named by its folder."""

from __future__ import annotations

from pathlib import Path

from tools.cluster.errors import ClusterError

_PATTERNS = (
    "*/Containerfile",
    "examples/**/Containerfile",
    "tests/assets/*/*/Containerfile",
)


def find_images(checkout: Path) -> dict[str, Path]:
    """Every image's Containerfile by name; ClusterError when two folders share a name."""
    found: dict[str, Path] = {}
    for pattern in _PATTERNS:
        for containerfile in sorted(checkout.glob(pattern)):
            name = containerfile.parent.name
            if found.setdefault(name, containerfile) != containerfile:
                paths = f"{found[name]} and {containerfile}"
                raise ClusterError(f"two images are named {name}: {paths}")
    return found
