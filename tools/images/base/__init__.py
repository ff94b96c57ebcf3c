"""The base image where no image registry can be reached: a small Debian with Python 3.11.

Made by debootstrap, once per recipe, and kept in the cache. With a Docker engine the Containerfiles
take their default base instead.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tools.cluster.command import OWN_MOUNTS, run
from tools.cluster.progress import say
from tools.images import store
from tools.images.blobs import sha256_digest
from tools.images.oci import add_folder, architecture

_SUITE = "bookworm"
_PACKAGES = "python3,ca-certificates"
_BOOTSTRAP_SECONDS = 1800
_BUILDER_RECIPE = Path(__file__).with_name("builder.Containerfile")
# Nothing at run time reads these; together they are a third of the image.
_STRIPPED = (
    "boot",
    "debootstrap",
    "dev",
    "proc",
    "sys",
    "usr/lib/*/gconv",
    "usr/lib/python3*/lib2to3",
    "usr/lib/python3*/pydoc_data",
    "usr/share/doc",
    "usr/share/i18n",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "var/cache/apt",
    "var/cache/debconf/*-old",
    "var/lib/apt/lists",
    "var/log",
)
_EMPTY_FOLDERS = (
    "dev",
    "proc",
    "sys",
    "var/cache/apt/archives/partial",
    "var/lib/apt/lists/partial",
    "var/log",
)


def recipe_digest() -> str:
    """The digest of what decides the base image's content."""
    parts = (_SUITE, _PACKAGES, architecture(), *_STRIPPED, _BUILDER_RECIPE.read_text(), "2")
    return sha256_digest("\0".join(parts).encode())


def builder_recipe() -> Path:
    """The Containerfile of the image with pip."""
    return _BUILDER_RECIPE


def ensure() -> str:
    """The digest of the base image, made when the cache does not hold it. Needs root."""
    digest = store.built_digest(recipe_digest())
    if digest is not None:
        return digest
    say("making the base image with debootstrap (about a minute)")
    with tempfile.TemporaryDirectory(dir=store.images_folder(), prefix=".base-") as temporary:
        root = Path(temporary) / "root"
        variant = ["--variant=minbase", f"--include={_PACKAGES}"]
        argv: list[str | Path] = [*OWN_MOUNTS, "debootstrap", *variant, _SUITE, root]
        run(argv, timeout_seconds=_BOOTSTRAP_SECONDS)
        _strip(root)
        runtime = {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"]}
        digest = add_folder(store.blob_store(), root, runtime, keep_owners=True)
    store.remember(recipe_digest(), digest)
    say(f"base image {digest}")
    return digest


def _strip(root: Path) -> None:
    for pattern in _STRIPPED:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for folder in _EMPTY_FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
