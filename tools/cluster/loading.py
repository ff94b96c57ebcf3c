"""Load images that tools.images built into the cluster."""

from __future__ import annotations

from tools.cluster.errors import ClusterError
from tools.cluster.naming import checkout_root
from tools.cluster.progress import say
from tools.cluster.provider import Provider
from tools.images import store


def load_images(provider: Provider, names: list[str]) -> None:
    """Push the named images; ClusterError when one was not built or its archive is gone."""
    built = store.read(checkout_root())
    for name in names:
        image = built.get(name)
        archive = store.archive_path(image.inputsDigest) if image else None
        if image is None or archive is None or not archive.exists():
            raise ClusterError(f"no image {name}: run `python -m tools.images build {name}`")
        digest = provider.load(archive, store.repository(name), store.TAG)
        if digest != image.digest:
            raise ClusterError(f"the archive of {name} holds {digest}, not {image.digest}")
        say(f"loaded {image.reference}")
