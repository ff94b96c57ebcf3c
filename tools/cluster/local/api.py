"""A small client of the cluster's API server and of its health endpoints."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import struct
from pathlib import Path
from typing import Any

from tools.cluster.errors import ClusterError
from tools.cluster.local.addresses import Addresses
from tools.cluster.local.layout import Layout
from tools.cluster.local.pki import API_PORT

_TIMEOUT_SECONDS = 5.0
_DNS_TIMEOUT_SECONDS = 1.0
_DNS_ID = 0x5154
_DNS_QUERY_FLAGS = 0x0100
_CREATED_OR_PRESENT = (200, 201, 409)
_DELETED_OR_ABSENT = (200, 202, 404)


class ApiClient:
    """Requests to the API server as the cluster's administrator."""

    def __init__(self, layout: Layout, addresses: Addresses) -> None:
        self._addresses = addresses
        self._context = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
        self._context.load_cert_chain(layout.pki / "admin.crt", layout.pki / "admin.key")

    def request(
        self, method: str, path: str, body: Any = None, port: int = API_PORT
    ) -> tuple[int, bytes]:
        """The status and content of the answer; OSError when there is none."""
        host = str(self._addresses.hub)
        connection = http.client.HTTPSConnection(
            host, port, context=self._context, timeout=_TIMEOUT_SECONDS
        )
        try:
            headers = {"Content-Type": "application/json"}
            data = None if body is None else json.dumps(body)
            connection.request(method, path, body=data, headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def healthy(self, port: int, path: str = "/healthz") -> bool:
        """Whether a component of the control plane says it is well."""
        try:
            return self.request("GET", path, port=port)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def create(self, path: str, body: dict[str, Any]) -> None:
        """Create an object; one that is there already is left alone."""
        status, text = self.request("POST", path, body)
        if status not in _CREATED_OR_PRESENT:
            raise ClusterError(f"creating {path}: HTTP {status} {text[:500]!r}")

    def delete(self, path: str) -> None:
        """Delete an object; one that is gone already is well."""
        status, text = self.request("DELETE", path)
        if status not in _DELETED_OR_ABSENT:
            raise ClusterError(f"deleting {path}: HTTP {status} {text[:500]!r}")

    def exists(self, path: str) -> bool:
        """Whether an object is there."""
        try:
            return self.request("GET", path)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def ready_nodes(self) -> set[str]:
        """The names of the nodes that report Ready."""
        try:
            status, text = self.request("GET", "/api/v1/nodes")
        except (OSError, http.client.HTTPException):
            return set()
        items = json.loads(text)["items"] if status == 200 else []
        return {item["metadata"]["name"] for item in items if _is_ready(item)}


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def accepts(socket_path: Path) -> bool:
    """Whether somebody listens on a unix socket."""
    with socket.socket(socket.AF_UNIX) as channel:
        try:
            channel.connect(str(socket_path))
        except OSError:
            return False
    return True


def http_ok(address: str, port: int, path: str) -> bool:
    """Whether a plain HTTP endpoint answers 200."""
    connection = http.client.HTTPConnection(address, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def dns_query(name: str) -> bytes:
    """A DNS question for the IPv4 address of a name (RFC 1035 §4.1)."""
    header = struct.pack(">HHHHHH", _DNS_ID, _DNS_QUERY_FLAGS, 1, 0, 0, 0)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return header + labels + b"\0" + struct.pack(">HH", 1, 1)


def dns_resolves(server: str, name: str) -> bool:
    """Whether the DNS server answers a name with at least one address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.settimeout(_DNS_TIMEOUT_SECONDS)
        try:
            channel.sendto(dns_query(name), (server, 53))
            answer = channel.recv(512)
        except OSError:
            return False
    identifier, flags, _, answers = struct.unpack(">HHHH", answer[:8])
    return bool(identifier == _DNS_ID and flags & 0x000F == 0 and answers > 0)
