"""The API server, as lists and watches of bytes. The only file that speaks to it."""

import asyncio
import random
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config as loading
from kubernetes.aio.client import ApiClient, Configuration

from quorate.errors import LimitExceeded, Unavailable
from quorate_webhook.cache.kinds import Kind

PAGE_BYTES = 64 * 1024 * 1024
"""One page of a list. Twenty models of the largest size fit twice."""
LIST_SECONDS = 30.0
WATCH_SECONDS = 55
"""A watch is ended and begun anew after about this long: an answer proves the channel is alive."""
WATCH_SLACK_SECONDS = 10.0
_CONNECTIONS = 16


class Refused(Unavailable):
    """The API server answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"the API server answers {status}: {message}")
        self.status = status


async def connect(kubeconfig: Path | None = None) -> "Client":
    """A client with the pod's own account, or with a kubeconfig. Raises Unavailable."""
    configuration = Configuration()
    configuration.connection_pool_maxsize = _CONNECTIONS
    configuration.retries = False
    try:
        if kubeconfig is None:
            loading.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
        else:
            await loading.load_kube_config(  # type: ignore[no-untyped-call]
                str(kubeconfig), client_configuration=configuration
            )
    except (loading.ConfigException, OSError) as error:
        raise Unavailable(f"no way to reach the API server: {error}") from None
    return Client(ApiClient(configuration))


class Client:
    """Lists and watches. Raises Unavailable for whatever goes wrong."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()  # type: ignore[no-untyped-call]

    async def list(self, kind: Kind, continue_: str) -> bytes:
        """One page of a list; ``continue_`` is empty for the first one."""
        query = {"limit": str(kind.page), "continue": continue_}
        patience = aiohttp.ClientTimeout(total=LIST_SECONDS)
        response = await self._get(kind, query, patience)
        try:
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > PAGE_BYTES:
                    raise LimitExceeded(f"a page of {kind.name} has more than {PAGE_BYTES} bytes")
            return bytes(body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"list of {kind.name} broke off: {error!r}") from None
        finally:
            response.close()

    async def watch(self, kind: Kind, version: str) -> AsyncGenerator[bytes, None]:
        """Lines of a watch from ``version`` on, until the API server ends it.

        The first item is empty: the API server has accepted the watch.
        """
        seconds = random.randint(WATCH_SECONDS - 10, WATCH_SECONDS)  # noqa: S311 - only spreads load
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
        }
        patience = aiohttp.ClientTimeout(sock_connect=10, sock_read=seconds + WATCH_SLACK_SECONDS)
        response = await self._get(kind, query, patience)
        try:
            yield b""
            async for line in response.content:
                yield line
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # ValueError: a line longer than the client's buffer.
            raise Unavailable(f"watch of {kind.name} broke off: {error!r}") from None
        finally:
            response.close()

    async def _get(
        self, kind: Kind, query: dict[str, str], patience: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        if kind.field_selector:
            query["fieldSelector"] = kind.field_selector
        path = f"{kind.path}?{urlencode({k: v for k, v in query.items() if v})}"
        try:
            request = await self._api.param_serialize("GET", path, auth_settings=["BearerToken"])
            method, url, headers, *_ = request
            headers["Accept"] = "application/json"
            answer = await self._api.rest_client.request(  # type: ignore[no-untyped-call]
                method, url, headers=headers, _request_timeout=patience
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"{kind.name}: {error!r}") from None
        response: aiohttp.ClientResponse = answer.response
        if response.status != 200:
            text = (await _beginning(response)).replace("\n", " ")
            raise Refused(response.status, f"{kind.path}: {text}")
        return response


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """The first bytes of an error, for the log."""
    try:
        async with asyncio.timeout(5):
            return (await response.content.read(500)).decode("utf-8", "replace")
    except (aiohttp.ClientError, TimeoutError, OSError):
        return ""
    finally:
        response.close()
