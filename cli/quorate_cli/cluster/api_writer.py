"""Writing through the API server. Every call is made again if no answer came."""

import json
from typing import Any, Final

import urllib3
from kubernetes import client

from quorate import limits
from quorate.errors import InvalidInput, Unavailable
from quorate_cli.cluster.kinds import Kind
from quorate_cli.cluster.writer import Conflict, Missing

TIMEOUT: Final = (5.0, 20.0)
"""Seconds to connect, and for the answer."""
ATTEMPTS: Final = 3
ANSWER_BYTES: Final = 16 * limits.MIB
_WHY_CHARS = 500


class ApiWriter:
    """A :class:`quorate_cli.cluster.writer.Writer` of the API server."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api

    def patch(
        self,
        kind: Kind,
        name: str,
        body: dict[str, Any],
        *,
        namespace: str = "",
        dry_run: bool = False,
    ) -> None:
        """See Writer."""
        where = _where(kind, name, namespace)
        status, why = self._send("PATCH", kind.path(namespace, name), body, dry_run)
        if status == 404:
            raise Missing("does not exist", field=where)
        self._check("patch", where, status, why)

    def create(
        self, kind: Kind, body: dict[str, Any], *, namespace: str = "", dry_run: bool = False
    ) -> None:
        """See Writer."""
        where = _where(kind, body["metadata"]["name"], namespace)
        self._check("create", where, *self._send("POST", kind.path(namespace), body, dry_run))

    def _check(self, verb: str, where: str, status: int, why: str) -> None:
        if status in (200, 201):
            return
        if status == 403:
            fix = f"check: kubectl auth can-i {verb} {where}"
            raise Unavailable(f"you may not {verb} {where}: {why}", fix=fix)
        if status == 409:
            raise Conflict(f"{where}: {why}")
        if status in (400, 413, 422):
            raise InvalidInput(why, field=where)
        raise Unavailable(f"the API server answered {status} for {where}: {why}")

    def _send(self, method: str, path: str, body: dict[str, Any], dry_run: bool) -> tuple[int, str]:
        """Status, and the server's words if it refuses."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._call(method, path, body, dry_run)
            except (urllib3.exceptions.HTTPError, client.ApiException, OSError) as error:
                if attempt == ATTEMPTS:
                    raise Unavailable(
                        f"the API server cannot be reached ({type(error).__name__})"
                    ) from None
        raise AssertionError("the last attempt returns or raises")

    def _call(self, method: str, path: str, body: dict[str, Any], dry_run: bool) -> tuple[int, str]:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        request = self._api.param_serialize(
            method,
            f"{path}?dryRun=All" if dry_run else path,
            header_params={"Accept": "application/json", "Content-Type": kind},
            body=body,
            auth_settings=["BearerToken"],
        )
        answer = self._api.call_api(*request, _request_timeout=TIMEOUT).response
        try:
            data = answer.read(ANSWER_BYTES, decode_content=True)
            return int(answer.status), _why(data)
        finally:
            answer.release_conn()


def _where(kind: Kind, name: str, namespace: str) -> str:
    return f"{kind.resource}/{name}" + (f" -n {namespace}" if namespace else "")


def _why(data: bytes) -> str:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return "no reason given"
    message = document.get("message") if isinstance(document, dict) else None
    return " ".join(str(message or "no reason given").split())[:_WHY_CHARS]
