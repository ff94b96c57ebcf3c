"""Objects of the installation's own namespace: created once, or replaced as they were read."""

from typing import Any

from quorate_operator.effects.api_server import ApiRefused, ApiServer
from quorate_operator.kinds import CONFIG_MAP, SECRET, Key, Kind

Document = dict[str, Any]


async def find(api: ApiServer, kind: Kind, namespace: str, name: str) -> Document | None:
    """The object, or None if it is not there. Raises QuorateError for anything else."""
    try:
        return await api.get(kind.path(namespace, name))
    except ApiRefused as error:
        if error.status == 404:
            return None
        raise


async def create_once(api: ApiServer, kind: Kind, document: Document) -> tuple[Document, bool]:
    """Create an object, or find the one that is there; True if it was created now."""
    metadata = document["metadata"]
    namespace = metadata.get("namespace", "")
    try:
        return await api.create(kind, namespace, document), True
    except ApiRefused as error:
        if error.status != 409:
            raise
    # Somebody was faster, or it was there before: whichever is there counts.
    return await api.get(kind.path(namespace, metadata["name"])), False


async def put(api: ApiServer, kind: Kind, document: Document) -> str:
    """Have the object hold this data; returns ``created``, ``replaced`` or ``unchanged``."""
    found, created = await create_once(api, kind, document)
    if created:
        return "created"
    if found.get("data") == document["data"]:
        return "unchanged"
    metadata = found["metadata"]
    key = Key(kind.name, metadata["namespace"], metadata["name"])
    await api.replace(kind, key, {**found, "data": document["data"]})
    return "replaced"


def config_map(namespace: str, name: str, data: dict[str, str], *, fixed: bool = False) -> Document:
    """A ConfigMap; ``fixed`` makes the API server refuse any change of it."""
    return _object(CONFIG_MAP, namespace, name, data, fixed=fixed)


def secret(namespace: str, name: str, data: dict[str, str], *, fixed: bool = False) -> Document:
    """A Secret of values in Base64; ``fixed`` makes the API server refuse any change of it."""
    return {**_object(SECRET, namespace, name, data, fixed=fixed), "type": "Opaque"}


def _object(
    kind: Kind, namespace: str, name: str, data: dict[str, str], *, fixed: bool
) -> Document:
    document: Document = {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }
    return {**document, "immutable": True} if fixed else document
