"""Attaches documents to what is in a registry, as OCI referrers. For the command line.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pushing-manifests-with-subject
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import aiohttp
import yarl

from quorate import limits
from quorate.canonical import parse_object
from quorate.evidence.oci import EMPTY_TYPE, INDEX_TYPE, MANIFEST_TYPE, Reference, parse_index
from quorate_io.registry.client import Visit
from quorate_io.registry.credentials import Credentials
from quorate_io.registry.exchange import Asked, get
from quorate_io.registry.failures import RegistryFailed, Why
from quorate_io.registry.rules import RegistryRules

SEND_SECONDS = 60.0
_ACCEPTED = (
    f"{MANIFEST_TYPE}, {INDEX_TYPE}, application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json"
)
_EMPTY = b"{}"
_SUBJECT_HEADER = "OCI-Subject"
"""A registry that answers it lists referrers by itself."""

Json = dict[str, Any]


class Publication(Visit):
    """Documents for one reference. Raises RegistryFailed."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        rules: RegistryRules,
        credentials: Credentials,
        reference: Reference,
    ) -> None:
        super().__init__(session, rules, credentials, reference, "pull,push")

    async def attach(
        self, document: bytes, artifact_type: str, annotations: Mapping[str, str]
    ) -> str:
        """Attach one document; the digest of the manifest that does. Twice gives the same one."""
        subject = await self._subject()
        await self._put_blob(_EMPTY)
        await self._put_blob(document)
        manifest = _encoded(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "artifactType": artifact_type,
                "config": _descriptor(EMPTY_TYPE, _EMPTY),
                "layers": [_descriptor(artifact_type, document)],
                "subject": subject,
                "annotations": dict(annotations),
            }
        )
        entry = _descriptor(MANIFEST_TYPE, manifest) | {"artifactType": artifact_type}
        headers = await self._put_manifest(entry["digest"], MANIFEST_TYPE, manifest)
        if _SUBJECT_HEADER not in headers:
            await self._list_by_tag(entry)
        return str(entry["digest"])

    async def _subject(self) -> Json:
        """The descriptor of what the reference names, which must be there."""
        url = self._url("manifests", self._reference.digest)
        answer = await self._get(url, _ACCEPTED, limits.OCI_MANIFEST_BYTES)
        if answer is None:
            raise RegistryFailed(Why.NOT_FOUND, f"there is no {self._reference}")
        if _digest(answer.body) != self._reference.digest:
            raise RegistryFailed(Why.DIGEST_MISMATCH, f"{self._reference} has other bytes")
        return _descriptor(answer.content_type, answer.body)

    async def _list_by_tag(self, entry: Json) -> None:
        """Add to the index under the fallback tag: read, add, write.

        Two who do so at once may lose an entry; the specification knows no better way.
        """
        tag = self._url("manifests", self._reference.fallback_tag)
        answer = await self._get(tag, INDEX_TYPE, limits.OCI_INDEX_BYTES)
        index: Json = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": []}
        if answer is not None:
            parse_index(answer.body)
            index = parse_object(answer.body, bytes_max=limits.OCI_INDEX_BYTES, what="index")
        others = [e for e in index["manifests"] if e["digest"] != entry["digest"]]
        index["manifests"] = [*others, entry]
        await self._put_manifest(self._reference.fallback_tag, INDEX_TYPE, _encoded(index))

    async def _put_blob(self, data: bytes) -> None:
        digest = _digest(data)
        if await self._has(self._url("blobs", digest)):
            return
        url = self._origin.with_path(f"/v2/{self._reference.repository}/blobs/uploads/")
        headers = await self._send("POST", url, b"", "application/octet-stream")
        location = yarl.URL(headers.get("Location", ""), encoded=True)
        target = url.join(location).update_query(digest=digest)
        self._rules.check(target, self._origin)
        await self._send("PUT", target, data, "application/octet-stream")

    async def _has(self, url: yarl.URL) -> bool:
        asked = Asked(url, self._origin, "*/*", limits.EVIDENCE_BYTES, self._authorization)
        answer = await get(self._session, self._rules, asked)
        return answer.status == 200

    async def _put_manifest(self, name: str, media_type: str, data: bytes) -> Mapping[str, str]:
        return await self._send("PUT", self._url("manifests", name), data, media_type)

    async def _send(
        self, method: str, url: yarl.URL, data: bytes, media_type: str
    ) -> Mapping[str, str]:
        """The headers of an answer that says yes."""
        headers = {"Content-Type": media_type}
        if self._authorization and url.origin() == self._origin.origin():
            headers["Authorization"] = self._authorization
        timeout = aiohttp.ClientTimeout(total=SEND_SECONDS)
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, allow_redirects=False, timeout=timeout
            ) as answer:
                status, found = answer.status, answer.headers
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RegistryFailed(Why.UNAVAILABLE, f"{url.host} did not answer: {error}") from error
        if status in (200, 201, 202):
            return found
        if status in (401, 403):
            raise RegistryFailed(
                Why.DENIED,
                f"{url.host} does not let you write to {self._reference.repository}",
                fix="log in: credentials are read from the Docker configuration",
            )
        raise RegistryFailed(Why.MALFORMED, f"{method} {url.path}: HTTP {status}")


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _descriptor(media_type: str, data: bytes) -> Json:
    return {"mediaType": media_type, "digest": _digest(data), "size": len(data)}


def _encoded(document: Json) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("utf-8")
