"""``install`` and ``check`` as commands, with the rights of their own account."""

import base64
import contextlib
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from quorate import names
from tests.integration.operator.installation import Installation, Part

pytestmark = [pytest.mark.cluster]
MEMBER = names.member_object("member-0")


class Anything(BaseHTTPRequestHandler):
    """Answers 404, as a webhook would at its root."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def webhook(installed: Installation, folder: Path) -> Iterator[int]:
    """A TLS server with the leaf that the webhook would mount; yields its port."""
    data = installed.get("secret", "quorate-webhook-tls")["data"]
    pair = folder / "pair.pem"
    pair.write_bytes(base64.b64decode(data["tls.crt"]) + base64.b64decode(data["tls.key"]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    server = HTTPServer(("127.0.0.1", 0), Anything)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        serving.join(5)


def endpoints(installed: Installation, service: str, *, ready: bool) -> None:
    """What the endpoint controller would write."""
    installed.apply(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": service,
                "namespace": names.NAMESPACE,
                "labels": {"kubernetes.io/service-name": service},
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.1.2.3"], "conditions": {"ready": ready}}],
        }
    )


@pytest.mark.requirement("install: idempotent with the rights of its own account")
def test_second_installation_changes_nothing(installed: Installation) -> None:
    """An upgrade runs it again."""
    kept = ("secret", names.member_key("member-0")), ("configmap", "quorate-genesis")
    before = [installed.get(*which)["metadata"]["resourceVersion"] for which in kept]
    done = installed.command("quorate-install", "install", "--timeout", "10")
    assert done.returncode == 0, done.stderr
    assert [installed.get(*which)["metadata"]["resourceVersion"] for which in kept] == before


@pytest.mark.requirement("check: exits 0 if the installation is whole, else 1 with reasons")
def test_check_tells_the_truth(installed: Installation, member: Part, tmp_path: Path) -> None:
    """With everything there it is content; with the webhook away it names just that."""
    for service in (names.WEBHOOK_SERVICE, MEMBER):
        endpoints(installed, service, ready=True)
    with webhook(installed, tmp_path) as port:
        hosts = (
            *("--host", f"{MEMBER}=127.0.0.1:{installed.member_port}"),
            *("--host", f"{names.WEBHOOK_SERVICE}=127.0.0.1:{port}"),
        )
        done = installed.command("quorate-install", "check", "--timeout", "0", *hosts)
        assert done.returncode == 0, done.stderr
    endpoints(installed, names.WEBHOOK_SERVICE, ready=False)
    done = installed.command("quorate-install", "check", "--timeout", "0", *hosts)
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if '"error"' in line]
    assert len(errors) == 2
    assert all("webhook" in line for line in errors)


def test_member_of_another_installation_is_noticed(
    installed: Installation, member: Part, tmp_path: Path
) -> None:
    """A member that cannot prove the pinned genesis is not ours, whatever answers there."""
    with webhook(installed, tmp_path) as port:
        hosts = ("--host", f"{MEMBER}=127.0.0.1:{port}")
        done = installed.command("quorate-install", "check", "--timeout", "0", *hosts)
    assert done.returncode == 1
    assert "serve this installation's genesis" in done.stderr
