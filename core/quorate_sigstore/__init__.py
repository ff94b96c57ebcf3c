"""Sigstore, offline: the adapter behind :class:`quorate.ports.Sigstore`.

The client library takes a second and 40 MiB to load, so it is loaded by the first signature that
needs it.
"""

from quorate_sigstore.offline import OfflineSigstore

__all__ = ["OfflineSigstore"]
