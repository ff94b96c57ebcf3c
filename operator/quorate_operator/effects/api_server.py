"""The API server, as the operator calls it: JSON in, JSON out, every wait bounded.

The official client does authentication, TLS and the renewal of tokens; its typed models are left
out, because objects must come back with all the fields they went in with.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp
from kubernetes.aio import client, config

from quorate import names
from quorate.errors import QuorateError, Unavailable
from quorate_operator.kinds import Key, Kind

Document = dict[str, Any]

TIMEOUT = 10.0
"""Seconds for one call."""
TOKEN = Path(names.API_TOKEN_PATH) / "token"

_JSON = "application/json"
_ACCEPT = "application/json, application/jwk-set+json"
_JSON_PATCH = "application/json-patch+json"
_APPLY = "application/apply-patch+yaml"


class ApiRefused(QuorateError):
    """The API server answered with an error: its HTTP status, its reason, and what it is about."""

    def __init__(
        self, status: int, reason: str, message: str, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message or reason, field=reason)
        self.status = status
        self.reason = reason
        self.details = details or {}


class ApiUnavailable(Unavailable):
    """The API server did not answer in time, or said that it cannot now."""


async def configuration() -> client.Configuration:
    """The service account's if this runs in a pod, else the kubeconfig's. Raises Unavailable."""
    found = client.Configuration()
    try:
        if TOKEN.is_file() and "KUBERNETES_SERVICE_HOST" in os.environ:
            config.load_incluster_config(found)  # type: ignore[no-untyped-call]
        else:
            kubeconfig = config.load_kube_config
            await kubeconfig(client_configuration=found)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError) as error:
        raise Unavailable(
            f"no way to reach an API server: {error}", fix="set KUBECONFIG"
        ) from error
    # Retries are this project's affair: those of the client repeat writes it thinks harmless.
    found.retries = None
    return found


class ApiServer:
    """Calls to the API server. Raises ApiRefused or ApiUnavailable, and nothing else."""

    def __init__(self, configuration_: client.Configuration) -> None:
        self.configuration = configuration_
        self._client = client.ApiClient(configuration_)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Document:
        """GET an object, or whatever JSON object ``path`` serves."""
        return await self._call("GET", path, query=query)

    async def list(self, kind: Kind, namespace: str = "", page: int = 0) -> AsyncIterator[Document]:
        """All objects of a kind that carry the labels it asks for.

        ``page`` at a time, or as many as the kind says.
        """
        query = {"limit": str(page or kind.page)}
        if kind.label_selector:
            query["labelSelector"] = kind.label_selector
        while True:
            found = await self._call("GET", kind.path(namespace), query=query)
            for item in found.get("items") or []:
                yield item
            following = (found.get("metadata") or {}).get("continue")
            if not following:
                return
            query["continue"] = following

    async def create(self, kind: Kind, namespace: str, document: Document) -> Document:
        """POST an object; ApiRefused with status 409 if it is there."""
        return await self._call("POST", kind.path(namespace), document)

    async def replace(self, kind: Kind, key: Key, document: Document) -> Document:
        """PUT an object; with its resourceVersion in it, only if nobody changed it since."""
        return await self._call("PUT", kind.path(key.namespace, key.name), document)

    async def delete(
        self, kind: Kind, key: Key, uid: str, grace_seconds: int | None = None
    ) -> Document:
        """DELETE this incarnation of an object; ApiRefused with status 409 if it is another."""
        options: Document = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
        }
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        return await self._call("DELETE", kind.path(key.namespace, key.name), options)

    async def apply_status(self, kind: Kind, key: Key, document: Document) -> Document:
        """Server-side apply of the status: ours, whoever wrote it before."""
        query = {"fieldManager": names.FIELD_MANAGER, "force": "true"}
        path = kind.path(key.namespace, key.name, "status")
        return await self._call("PATCH", path, document, content_type=_APPLY, query=query)

    async def patch(
        self, path: str, operations: Sequence[Document], manager: str = names.FIELD_MANAGER
    ) -> Document:
        """JSON patch; a ``test`` that fails is ApiRefused with status 422."""
        query = {"fieldManager": manager}
        return await self._call(
            "PATCH", path, list(operations), content_type=_JSON_PATCH, query=query
        )

    async def merge(self, path: str, document: Document) -> Document:
        """JSON merge patch."""
        kind = "application/merge-patch+json"
        return await self._call("PATCH", path, document, content_type=kind)

    async def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = _JSON,
        query: Mapping[str, str] | None = None,
    ) -> Document:
        serialized = await self._client.param_serialize(
            method=method,
            resource_path=path,
            query_params=list((query or {}).items()),
            header_params={"Accept": _ACCEPT, "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            async with asyncio.timeout(TIMEOUT):
                response = await self._client.call_api(*serialized, _request_timeout=TIMEOUT)
                data = await response.read()  # type: ignore[no-untyped-call]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            what = str(error) or type(error).__name__
            raise ApiUnavailable(f"the API server did not answer: {what}") from error
        return _parsed(method, path, response.status, data)


def _parsed(method: str, path: str, status: int, data: bytes) -> Document:
    try:
        document = json.loads(data)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        document = {"message": f"{method} {path}: HTTP {status} without a JSON object"}
        status = status if status >= 300 else 502
    if status < 300:
        return document
    reason, message = str(document.get("reason", "")), str(document.get("message", ""))
    if status in (429, 500, 502, 503, 504):
        raise ApiUnavailable(f"the API server answered {status}: {message or reason}")
    details = document.get("details")
    details = details if isinstance(details, dict) else {}
    raise ApiRefused(status, reason or f"HTTP{status}", message, details)
