"""Push images to a registry by its HTTP interface.

Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push
"""

from __future__ import annotations

import http.client
from typing import IO
from urllib.parse import urlencode, urlsplit

from tools.cluster.errors import ToolError
from tools.images.blobs import BlobStore
from tools.images.oci import Manifest, read_manifest

_TIMEOUT_SECONDS = 120


class PushFailed(ToolError):
    """The registry did not take the image."""


class Registry:
    """One plain-HTTP registry, such as the one in a cluster on this machine."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_SECONDS)

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _request(
        self,
        method: str,
        target: str,
        wanted: tuple[int, ...],
        body: bytes | IO[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        self._connection.request(method, target, body=body, headers=headers or {})
        response = self._connection.getresponse()
        text = response.read()
        if response.status not in wanted:
            raise PushFailed(f"{method} {target}: HTTP {response.status} {text[:500]!r}")
        return response

    def push(self, store: BlobStore, digest: str, repository: str, tag: str) -> None:
        """Push a stored image under a tag."""
        manifest = read_manifest(store, digest)
        for blob in manifest.blobs:
            self._push_blob(repository, blob, store)
        self._push_manifest(repository, manifest, tag)

    def _push_blob(self, repository: str, digest: str, store: BlobStore) -> None:
        if self._request("HEAD", f"/v2/{repository}/blobs/{digest}", (200, 404)).status == 200:
            return
        started = self._request("POST", f"/v2/{repository}/blobs/uploads/", (202,))
        location = urlsplit(started.headers["Location"])
        query = "&".join(part for part in (location.query, urlencode({"digest": digest})) if part)
        size = store.path(digest).stat().st_size
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        with store.path(digest).open("rb") as content:
            self._request("PUT", f"{location.path}?{query}", (201,), content, headers)

    def _push_manifest(self, repository: str, manifest: Manifest, tag: str) -> None:
        target = f"/v2/{repository}/manifests/{tag}"
        headers = {"Content-Type": manifest.media_type}
        self._request("PUT", target, (201,), manifest.data, headers)
