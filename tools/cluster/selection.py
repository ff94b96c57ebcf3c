"""Which provider runs the cluster here."""

from __future__ import annotations

import os

from tools.cluster.docker import engine_answers, kind_found
from tools.cluster.errors import ClusterError
from tools.cluster.kind import KindProvider
from tools.cluster.local.cluster import LocalProvider
from tools.cluster.naming import checkout_root
from tools.cluster.provider import Provider


def select_provider() -> Provider:
    """kind where a Docker engine answers and kind is installed, else local."""
    wanted = os.environ.get("QUORATE_PROVIDER", "")
    if wanted not in ("", "kind", "local"):
        raise ClusterError(f"QUORATE_PROVIDER must be kind or local, not {wanted}")
    if wanted == "kind" or (not wanted and kind_found() and engine_answers()):
        return KindProvider(checkout_root())
    return LocalProvider(checkout_root())
