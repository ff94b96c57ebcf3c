"""Reads one source: a ConfigMap by the API server, referrers by a registry. Never raises.

One registry that is slow or away must not hold up the rest: only a few readings of it run at once,
and after one that got no answer the others fail at once for a while.
"""

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from quorate import limits, names
from quorate.api.v1alpha1.document_source import (
    ARTIFACT_TYPES,
    ConfigMapSource,
    DocumentSource,
    ReferrersSource,
    SourceField,
)
from quorate.errors import InvalidInput, QuorateError
from quorate.evidence.image_signing import embedded, signature_layers
from quorate.evidence.oci import (
    EMPTY_TYPE,
    Artifact,
    Descriptor,
    Reference,
    parse_artifact,
    parse_reference,
)
from quorate_io.registry import RegistryClient, RegistryFailed, Why
from quorate_io.registry.client import Visit
from quorate_operator.effects.api_server import ApiRefused, ApiUnavailable
from quorate_operator.kinds import CONFIG_MAP
from quorate_operator.sources.documents import ByteCache, Failed, Read, as_read

READING_SECONDS = 20.0
"""For all of one source, waiting included."""
READINGS_PER_REGISTRY = 4
REQUESTS_PER_READING = 4
AWAY_SECONDS = 10.0
"""For so long after a registry did not answer, it is not asked."""
CACHE_BYTES = 32 * limits.MIB
READER_ROLE = "quorate-evidence-reader"
"""The chart's ClusterRole that a namespace binds to let the operator read its ConfigMaps."""

log = logging.getLogger(__name__)


class Getter(Protocol):
    """The API server, as far as reading ConfigMaps needs it."""

    async def get(self, path: str) -> dict[str, Any]:
        """The object at ``path``. Raises ApiRefused or ApiUnavailable."""


@dataclass(frozen=True, slots=True)
class _Place:
    """What one reading is of. ``with_tag``: also of signatures under the image's own tag."""

    reference: Reference
    artifact_type: str
    with_tag: bool


class SourceReader:
    """Reads sources. For one event loop; ``monotonic`` gives seconds."""

    def __init__(
        self, api: Getter, registries: RegistryClient, monotonic: Callable[[], float]
    ) -> None:
        self._api = api
        self._registries = registries
        self._monotonic = monotonic
        self._cache = ByteCache(CACHE_BYTES)
        self._running: dict[_Place, asyncio.Task[Read | Failed]] = {}
        self._lanes: dict[str, asyncio.Semaphore] = {}
        self._away: dict[str, tuple[float, Failed]] = {}

    async def read(
        self, namespace: str, field: SourceField, source: DocumentSource
    ) -> Read | Failed:
        """What a source of a model in ``namespace`` holds now."""
        try:
            if source.config_map is not None:
                return await self._config_map(namespace, source.config_map)
            if source.oci_referrers is not None:
                return await self._referrers(field, source.oci_referrers)
        except Exception:
            # A fault in one reading must end in a status, not in a model nobody looks at.
            log.exception("%s: reading source %s failed", namespace, source.name)
            return Failed("InternalError", "reading it failed; see the operator's log")
        return Failed("Malformed", "the source names no place", settled=True)

    async def _config_map(self, namespace: str, source: ConfigMapSource) -> Read | Failed:
        what = f"ConfigMap {namespace}/{source.name}"
        try:
            found = await self._api.get(CONFIG_MAP.path(namespace, source.name))
        except ApiUnavailable as error:
            return Failed("APIServerUnavailable", f"{what}: {error.message}")
        except ApiRefused as error:
            return _refused(error, what, namespace)
        value = _value(found, source.key, what)
        return value if isinstance(value, Failed) else await self._read_in([value])

    async def _read_in(self, documents: list[bytes]) -> Read:
        size = sum(len(document) for document in documents)
        return await self._registries.off_loop.run(size, lambda: as_read(documents))

    async def _referrers(self, field: SourceField, source: ReferrersSource) -> Read | Failed:
        artifact_type = source.artifact_type or ARTIFACT_TYPES[field]
        try:
            reference = parse_reference(source.reference)
        except InvalidInput as error:
            return Failed("Malformed", str(error), settled=True)
        # Models that name the same place share one reading.
        place = _Place(reference, artifact_type, field is SourceField.SERVERS)
        task = self._running.get(place)
        if task is None:
            task = asyncio.create_task(self._bounded(place))
            self._running[place] = task
            task.add_done_callback(lambda _: self._running.pop(place, None))
        return await asyncio.shield(task)

    async def _bounded(self, place: _Place) -> Read | Failed:
        registry = place.reference.registry
        try:
            visit = self._registries.visit(place.reference)
        except RegistryFailed as error:
            return Failed(error.why, error.message, error.fix, settled=True)
        lane = self._lanes.setdefault(registry, asyncio.Semaphore(READINGS_PER_REGISTRY))
        try:
            async with asyncio.timeout(READING_SECONDS), lane:
                since, failure = self._away.get(registry, (-AWAY_SECONDS, None))
                if failure is not None and self._monotonic() < since + AWAY_SECONDS:
                    return failure
                return await self._visited(visit, place)
        except RegistryFailed as error:
            failed = Failed(error.why, error.message, error.fix)
        except TimeoutError:
            message = f"{registry} did not answer within {READING_SECONDS:.0f} s"
            failed = Failed(Why.UNAVAILABLE, message)
        except QuorateError as error:
            return Failed(Why.MALFORMED, str(error))
        if failed.reason == Why.UNAVAILABLE:
            self._away[registry] = (self._monotonic(), failed)
        return failed

    async def _visited(self, visit: Visit, place: _Place) -> Read:
        entries = await visit.referrers(place.artifact_type)
        lane = asyncio.Semaphore(REQUESTS_PER_READING)
        artifacts = await _all(
            self._artifact(visit, entry, place.reference, lane) for entry in entries
        )
        layers = {
            layer.digest: layer
            for artifact in artifacts
            for layer in artifact.layers
            if layer.media_type != EMPTY_TYPE
        }
        tagged = await self._tagged(visit) if place.with_tag else ()
        found = [*layers.values(), *tagged]
        if len(found) > limits.DOCUMENTS_PER_SOURCE:
            message = f"{len(found)} documents; at most {limits.DOCUMENTS_PER_SOURCE} are read"
            raise RegistryFailed(Why.TOO_MANY, message)
        if sum(layer.size for layer in found) > limits.FETCHED_BYTES:
            message = f"its documents have over {limits.FETCHED_BYTES} bytes"
            raise RegistryFailed(Why.TOO_LARGE, message)
        # Signers of one image sign the same bytes: layers under the tag may share them.
        wanted = {layer.digest: layer for layer in found}
        read = await _all(self._blob(visit, layer, lane) for layer in wanted.values())
        contents = dict(zip(wanted, read, strict=True))
        documents = [contents[digest] for digest in layers]
        documents += [embedded(layer, contents[layer.digest]) for layer in tagged]
        return await self._read_in(documents)

    async def _tagged(self, visit: Visit) -> tuple[Descriptor, ...]:
        manifest = await visit.signatures()
        if manifest is None:
            return ()
        return await self._registries.off_loop.run(
            len(manifest), lambda: signature_layers(manifest)
        )

    async def _artifact(
        self, visit: Visit, entry: Descriptor, reference: Reference, lane: asyncio.Semaphore
    ) -> Artifact:
        data = self._cache.get(entry.digest)
        if data is None:
            async with lane:
                data = await visit.manifest(entry)
            self._cache.put(entry.digest, data)
        artifact = await self._registries.off_loop.run(len(data), lambda: parse_artifact(data))
        if artifact.subject is None or artifact.subject.digest != reference.digest:
            message = f"{entry.digest} is listed as a referrer and is about something else"
            raise RegistryFailed(Why.MALFORMED, message)
        return artifact

    async def _blob(self, visit: Visit, layer: Descriptor, lane: asyncio.Semaphore) -> bytes:
        data = self._cache.get(layer.digest)
        if data is None:
            async with lane:
                data = await visit.blob(layer)
            self._cache.put(layer.digest, data)
        return data


async def _all(readings: Any) -> list[Any]:
    """All results in order; the first failure ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(reading) for reading in readings]
    except* QuorateError as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


def _refused(error: ApiRefused, what: str, namespace: str) -> Failed:
    if error.status == 404:
        return Failed(Why.NOT_FOUND, f"there is no {what}", settled=True)
    if error.status == 403:
        fix = (
            f"kubectl create rolebinding quorate-evidence -n {namespace} "
            f"--clusterrole={READER_ROLE} "
            f"--serviceaccount={names.NAMESPACE}:{names.OPERATOR_ACCOUNT}"
        )
        return Failed("Forbidden", f"the operator may not read {what}", fix)
    return Failed("APIServerRefused", f"{what}: {error.message}")


def _value(found: dict[str, Any], key: str, what: str) -> bytes | Failed:
    text = (found.get("data") or {}).get(key)
    encoded = (found.get("binaryData") or {}).get(key)
    if isinstance(text, str):
        return text.encode("utf-8", "surrogatepass")
    if not isinstance(encoded, str):
        return Failed(Why.NOT_FOUND, f"{what} has no key {key}", settled=True)
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return Failed("Malformed", f"{what}: {key} is not base64", settled=True)
