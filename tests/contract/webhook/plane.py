"""A real API server for the webhook alone, with the admission plugins a cluster has.

Nobody else's controllers, policies or webhooks: a shared cluster's would judge the same pods.
"""

import contextlib
import http.client
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.contract.operator import control_plane
from tests.contract.operator.control_plane import ControlPlane
from tools.cluster import binaries

Document = dict[str, Any]


class Plane(ControlPlane):
    """An API server that also mounts tokens, as every cluster's does."""

    @contextlib.contextmanager
    def api_server(self, port: int | None = None) -> Iterator[Path]:
        """Run the API server; yields its kubeconfig."""
        port = port or self._port
        program = self._built.path("kube-apiserver")
        argv = control_plane._api_server(program, self.folder, self._etcd_port, port)
        argv = [argument for argument in argv if "disable-admission-plugins" not in argument]
        argv.append("--allow-privileged=true")
        with control_plane._process(argv, self._log) as process:
            control_plane._wait_ready(port, process, self._log, self._token)
            yield control_plane._kubeconfig(self.folder, port, self._token)

    def start(self) -> None:
        """Start the API server."""
        self._running = contextlib.ExitStack()
        self._running.enter_context(self.api_server())

    def stop(self) -> None:
        """Stop the API server."""
        self._running.close()

    def restart(self) -> None:
        """Stop the API server, and start it again on the same port."""
        self.stop()
        self.start()

    def apply(self, *documents: Document) -> None:
        """Apply documents, strictly."""
        listing = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        arguments = ("apply", "--server-side", "--force-conflicts", "-f", "-")
        self.kubectl(*arguments, stdin=json.dumps(listing))

    def namespace(self, name: str, **labels: str) -> None:
        """A namespace with the account that a controller would make."""
        metadata = {"name": name, "labels": labels}
        account = {"name": "default", "namespace": name}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        self.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})

    def node(self, name: str) -> None:
        """A node on paper, with room for pods."""
        metadata = {"name": name, "labels": {"kubernetes.io/os": "linux"}}
        self.apply({"apiVersion": "v1", "kind": "Node", "metadata": metadata})
        room = {"cpu": "8", "memory": "16Gi", "pods": "100"}
        status = json.dumps({"status": {"capacity": room, "allocatable": room}})
        self.kubectl("patch", "node", name, "--subresource=status", "--type=merge", "-p", status)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Plane]:
    """A plane whose etcd runs, without an API server yet."""
    built = binaries.cached()
    if built is None:
        pytest.fail("no API server to test with: python -m tools.cluster up")
    plane = Plane(folder, built)
    plane.prepare()
    with plane.etcd():
        yield plane


@dataclass(frozen=True)
class Answer:
    """What the API server said. ``message`` is empty if it took the object."""

    status: int
    body: Document
    warnings: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        """Whether the object was taken, or would have been."""
        return self.status < 300

    @property
    def message(self) -> str:
        """Why it was refused."""
        return "" if self.accepted else str(self.body.get("message", ""))


class Api:
    """Speaks as the administrator, or as somebody the administrator names."""

    def __init__(self, kubeconfig: Path) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        self._server = urlsplit(document["clusters"][0]["cluster"]["server"])
        self._token = document["users"][0]["user"]["token"]
        # The API server made its certificate itself, on loopback.
        self._context = ssl.create_default_context()
        self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE
        self._connection: http.client.HTTPSConnection | None = None

    def request(
        self,
        method: str,
        path: str,
        body: Document | list[Document] | None = None,
        *,
        content_type: str = "application/json",
        user: str = "",
    ) -> Answer:
        """One request; ``user`` is impersonated with every right there is."""
        headers = {"Content-Type": content_type, "Authorization": f"Bearer {self._token}"}
        if user:
            headers |= {"Impersonate-User": user, "Impersonate-Group": "system:masters"}
        data = None if body is None else json.dumps(body)
        try:
            response = self._sent(method, path, data, headers)
        except (OSError, http.client.HTTPException):
            self.close()
            response = self._sent(method, path, data, headers)
        warnings = tuple(response.headers.get_all("Warning") or ())
        return Answer(response.status, json.loads(response.read()), warnings)

    def _sent(
        self, method: str, path: str, data: str | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        if self._connection is None:
            host, port = str(self._server.hostname), self._server.port
            self._connection = http.client.HTTPSConnection(
                host, port, context=self._context, timeout=30
            )
        self._connection.request(method, path, data, headers)
        return self._connection.getresponse()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
