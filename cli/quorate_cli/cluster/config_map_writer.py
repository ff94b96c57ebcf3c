"""Writing one key of one ConfigMap: all that a published gate result needs."""

from typing import Final, Protocol

import urllib3
from kubernetes import client

from quorate.errors import InvalidInput, Unavailable
from quorate_cli.cluster.kinds import CONFIG_MAP

TIMEOUT: Final = (5.0, 20.0)
"""Seconds to connect, and for the answer."""
ATTEMPTS: Final = 3


class ConfigMapWriter(Protocol):
    """Sets a key of a ConfigMap that exists."""

    def set(self, namespace: str, name: str, key: str, value: str) -> None:
        """Raises Unavailable, or InvalidInput if there is no such ConfigMap."""


class ApiConfigMapWriter:
    """Patches through the API server; needs the verb ``patch`` on that one ConfigMap."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api

    def set(self, namespace: str, name: str, key: str, value: str) -> None:
        """See ConfigMapWriter. Setting the same again changes nothing."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                status = self._patch(namespace, name, {"data": {key: value}})
                break
            except (urllib3.exceptions.HTTPError, client.ApiException, OSError) as error:
                if attempt == ATTEMPTS:
                    raise Unavailable(
                        f"the API server cannot be reached ({type(error).__name__})"
                    ) from None
        where = f"configmap/{name} -n {namespace}"
        if status == 404:
            raise InvalidInput("does not exist", field=where, fix="apply what gate job prints")
        if status == 403:
            raise Unavailable(
                f"you may not patch {where}", fix=f"check: kubectl auth can-i patch {where}"
            )
        if status != 200:
            raise Unavailable(f"the API server answered {status} for {where}")

    def _patch(self, namespace: str, name: str, body: dict[str, object]) -> int:
        request = self._api.param_serialize(
            "PATCH",
            CONFIG_MAP.path(namespace, name),
            header_params={
                "Accept": "application/json",
                "Content-Type": "application/merge-patch+json",
            },
            body=body,
            auth_settings=["BearerToken"],
        )
        answer = self._api.call_api(*request, _request_timeout=TIMEOUT).response
        try:
            return int(answer.status)
        finally:
            answer.release_conn()
