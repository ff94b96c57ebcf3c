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
        if image is None or not store.blob_store().holds(image.digest):
            raise ClusterError(f"no image {name}: run `python -m tools.images build {name}`")
        provider.load(image.digest, store.repository(name), store.TAG)
        say(f"loaded {image.reference}")
