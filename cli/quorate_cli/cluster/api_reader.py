"""The reader over the official client: authentication and TLS are its, the objects stay JSON."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlencode

import urllib3
from kubernetes import client

from quorate import limits
from quorate.errors import Unavailable
from quorate_cli.cluster.kinds import Document, Kind
from quorate_cli.cluster.reader import NotPermitted, NotServed

TIMEOUT: Final = (5.0, 20.0)
"""Seconds to connect, and between two pieces of an answer."""
PAGE: Final = 250
"""Objects of one page of a list."""
PAGE_BYTES: Final = 128 * limits.MIB
"""A page is refused beyond this: models carry their evidence inside."""
LISTED_MAX: Final = 2 * limits.PODS_PER_CLUSTER
"""Objects one list may have in all."""


class ApiReader:
    """A :class:`quorate_cli.cluster.reader.Reader` of the API server."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api

    def get(self, kind: Kind, name: str, namespace: str = "") -> Document | None:
        """See Reader."""
        status, document, _ = self._call(kind.path(namespace, name))
        if status == 404:
            return None
        if status == 403:
            raise NotPermitted("get", kind, namespace, name)
        return _object(_succeeded(status, document))

    def each(
        self, kind: Kind, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> Iterator[Document]:
        """See Reader."""
        query = {"limit": str(PAGE), "labelSelector": labels, "fieldSelector": fields}
        seen = 0
        while True:
            status, document, _ = self._call(kind.path(namespace), query)
            if status == 404:
                raise NotServed(kind)
            if status == 403:
                raise NotPermitted("list", kind, namespace)
            page = _object(_succeeded(status, document))
            for item in page.get("items") or []:
                # Items of a list carry neither; single objects do, and readers compare.
                yield {"apiVersion": kind.api_version, "kind": kind.name} | _object(item)
                seen += 1
            more = (page.get("metadata") or {}).get("continue")
            if not more:
                return
            if seen >= LISTED_MAX:
                raise Unavailable(f"more than {LISTED_MAX} {kind.plural}")
            query["continue"] = str(more)

    def version(self) -> str:
        """See Reader."""
        status, document, _ = self._call("/version")
        return str(_object(_succeeded(status, document)).get("gitVersion", ""))

    def clock(self) -> tuple[datetime, datetime]:
        """See Reader."""
        before = datetime.now(UTC)
        _, _, headers = self._call("/version")
        middle = before + (datetime.now(UTC) - before) / 2
        try:
            return parsedate_to_datetime(headers.get("Date", "")), middle
        except (ValueError, TypeError):
            raise Unavailable("the API server's answers carry no date") from None

    def _call(self, path: str, query: dict[str, str] | None = None) -> tuple[int, Any, Any]:
        """Status, parsed body and headers of a GET."""
        given = {key: value for key, value in (query or {}).items() if value}
        url = f"{path}?{urlencode(given)}" if given else path
        try:
            request = self._api.param_serialize(
                "GET",
                url,
                header_params={"Accept": "application/json"},
                auth_settings=["BearerToken"],
            )
            answer = self._api.call_api(*request, _request_timeout=TIMEOUT).response
            try:
                body = answer.read(PAGE_BYTES + 1, decode_content=True)
            finally:
                answer.release_conn()
        except (urllib3.exceptions.HTTPError, client.ApiException, OSError) as error:
            raise Unavailable(
                f"the API server {self._api.configuration.host} cannot be reached: "
                f"{_reason(error)}",
                fix="check --kubeconfig, --context and the network",
            ) from None
        if len(body) > PAGE_BYTES:
            raise Unavailable(f"{path}: the answer has more than {PAGE_BYTES} bytes")
        return answer.status, _parsed(body), answer.headers


def _parsed(body: bytes) -> Any:
    """The body as JSON; None if it is none, as in errors of a proxy on the way."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", None)
    return " ".join(str(inner or error).split())[:300]


def _succeeded(status: int, document: Any) -> Any:
    if status == 200:
        return document
    if status == 401:
        raise Unavailable("the API server does not accept your credentials", fix="log in again")
    message = document.get("message") if isinstance(document, dict) else ""
    raise Unavailable(
        f"the API server answered {status}: {str(message or 'no reason given')[:300]}"
    )


def _object(document: Any) -> Document:
    if not isinstance(document, dict):
        raise Unavailable("the API server's answer is not an object")
    return document
