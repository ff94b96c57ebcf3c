"""Writing over HTTP: what is sent, and what the API server may answer."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from quorate.errors import InvalidInput, QuorateError, Unavailable
from quorate_cli.cluster.api_writer import ApiWriter
from quorate_cli.cluster.kinds import CONFIG_MAP, SAFETY_COMMITTEE
from quorate_cli.cluster.writer import Conflict, Missing
from tests.unit.cli.conftest import Quorate
from tests.unit.cli.test_gate import report

DIGEST = f"sha256:{'ab' * 32}"


class Handler(BaseHTTPRequestHandler):
    """Remembers each request and answers with the server's status."""

    server: "ApiServer"

    def do_PATCH(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers["Content-Type"], body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    do_POST = do_PATCH

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class ApiServer(HTTPServer):
    """As much of an API server as writing needs."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.answer = b"{}"
        self.asked: list[tuple[str, str, dict[str, Any]]] = []


@pytest.fixture
def api() -> Iterator[ApiServer]:
    """It runs until the test ends."""
    server = ApiServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join(10)
    server.server_close()


def line(api: ApiServer, key: Path, folder: Path) -> list[object]:
    """Publish a report to this API server."""
    (folder / "report.json").write_text(json.dumps(report()))
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{api.server_port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    return [
        *("gate", "publish", "--report", folder / "report.json", "--manifest-digest", DIGEST),
        *("--key", key, "--config-map", "results/red-team.json", "-n", "team-a"),
        *("--kubeconfig", folder / "kubeconfig"),
    ]


def test_one_key_is_patched(quorate: Quorate, api: ApiServer, key: Path, tmp_path: Path) -> None:
    """A merge patch sets this key; others stay as they are."""
    ran = quorate(*line(api, key, tmp_path))
    assert ran.code == 0, ran.err
    ((path, media_type, body),) = api.asked
    assert path == "/api/v1/namespaces/team-a/configmaps/results"
    assert media_type == "application/merge-patch+json"
    assert list(body) == ["data"]
    assert json.loads(body["data"]["red-team.json"])["payloadType"]


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [(403, 3, "kubectl auth can-i patch"), (404, 2, "does not exist"), (500, 3, "answered 500")],
)
def test_what_the_api_server_refuses(
    quorate: Quorate,
    api: ApiServer,
    key: Path,
    tmp_path: Path,
    status: int,
    code: int,
    message: str,
) -> None:
    """A result that was not taken is an error that says what would help."""
    api.status = status
    ran = quorate(*line(api, key, tmp_path))
    assert ran.code == code
    assert message in ran.err


def test_no_api_server(quorate: Quorate, api: ApiServer, key: Path, tmp_path: Path) -> None:
    """An API server that is away is exit code 3."""
    words = line(api, key, tmp_path)
    (tmp_path / "kubeconfig").write_text(
        (tmp_path / "kubeconfig").read_text().replace(str(api.server_port), "9")
    )
    ran = quorate(*words)
    assert (ran.code, "cannot be reached" in ran.err) == (3, True)


def writer(api: ApiServer) -> ApiWriter:
    """Of this API server."""
    settings = client.Configuration()
    settings.host = f"http://127.0.0.1:{api.server_port}"
    settings.retries = False
    return ApiWriter(client.ApiClient(settings))


def test_an_object_is_made_and_a_dry_run_says_so(api: ApiServer) -> None:
    """POST to the collection; ``dryRun=All`` for what is not to be kept."""
    api.status = 201
    body = {"metadata": {"name": "x"}, "binaryData": {"evidence": "AA=="}}
    writer(api).create(CONFIG_MAP, body, namespace="quorate-system")
    api.status = 200
    patch = {"metadata": {"resourceVersion": "7"}, "spec": {}}
    writer(api).patch(SAFETY_COMMITTEE, "committee", patch, dry_run=True)
    assert api.asked == [
        ("/api/v1/namespaces/quorate-system/configmaps", "application/json", body),
        (
            "/apis/quorate.dev/v1alpha1/safetycommittees/committee?dryRun=All",
            "application/merge-patch+json",
            patch,
        ),
    ]


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, Missing), (409, Conflict), (422, InvalidInput), (403, Unavailable), (503, Unavailable)],
)
def test_each_refusal_is_its_own_error(
    api: ApiServer, status: int, error: type[QuorateError]
) -> None:
    """With the server's own words, as far as it is told any."""
    api.status = status
    for answer, words in ((b'{"message": "because"}', "because"), (b"[", ""), (b"[1]", "")):
        api.answer = answer
        with pytest.raises(error) as caught:
            writer(api).patch(SAFETY_COMMITTEE, "committee", {"spec": {}})
        assert status == 404 or words in str(caught.value)
