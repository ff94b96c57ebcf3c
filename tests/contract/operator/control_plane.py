"""A real API server of its own, for tests that would disturb a cluster somebody uses.

etcd and the pinned kube-apiserver on loopback, nothing else: no controllers and no nodes, so what a
test creates is touched by nobody but the code under test.
"""

import base64
import contextlib
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tools.cluster import binaries

START_SECONDS = 90.0
CRDS = Path(__file__).resolve().parents[3] / "crds"


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.contextmanager
def _process(argv: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _etcd(folder: Path, port: int, peer_port: int) -> list[str]:
    return [
        "etcd",
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls=http://127.0.0.1:{port}",
        f"--advertise-client-urls=http://127.0.0.1:{port}",
        f"--listen-peer-urls=http://127.0.0.1:{peer_port}",
        "--unsafe-no-fsync",
        "--logger=zap",
        "--log-level=warn",
    ]


def _api_server(program: Path, folder: Path, etcd_port: int, port: int) -> list[str]:
    key = folder / "service-account.key"
    return [
        str(program),
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        # No controller makes the account that every pod would need.
        "--disable-admission-plugins=ServiceAccount",
        "--endpoint-reconciler-type=none",
    ]


def _kubeconfig(folder: Path, port: int, token: str) -> Path:
    authority = (folder / "certificates" / "apiserver.crt").read_bytes()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "clusters": [
            {
                "name": "test",
                "cluster": {
                    "server": f"https://127.0.0.1:{port}",
                    "certificate-authority-data": base64.b64encode(authority).decode(),
                },
            }
        ],
        "users": [{"name": "admin", "user": {"token": token}}],
    }
    path = folder / f"kubeconfig-{port}"
    path.write_text(yaml.safe_dump(document))
    return path


def _wait_ready(port: int, process: subprocess.Popen[bytes], log: Path, token: str) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = urllib.request.Request(
        f"https://127.0.0.1:{port}/readyz", headers={"Authorization": f"Bearer {token}"}
    )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(request, context=context, timeout=5) as answer,  # noqa: S310
        ):
            if answer.status == 200:
                return
        time.sleep(0.25)
    pytest.fail(f"kube-apiserver is not ready:\n{log.read_text('utf-8', 'replace')[-4000:]}")


class ControlPlane:
    """A running etcd, and an API server that can be stopped and started again."""

    def __init__(self, folder: Path, built: binaries.Binaries) -> None:
        self.folder = folder
        self._built = built
        self._etcd_port, self._peer_port, self._port = _free_port(), _free_port(), _free_port()
        self._token = secrets.token_hex(16)
        self._log = folder / "kube-apiserver.log"
        self.kubeconfig = folder / f"kubeconfig-{self._port}"
        self.kubectl_path = str(built.path("kubectl"))
        self._api_server: subprocess.Popen[bytes] | None = None

    def etcd(self) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        """Run etcd."""
        argv = _etcd(self.folder, self._etcd_port, self._peer_port)
        return _process(argv, self.folder / "etcd.log")

    @contextlib.contextmanager
    def api_server(self, port: int | None = None) -> Iterator[Path]:
        """Run an API server, on a port of its own if one is given; yields its kubeconfig."""
        program = self._built.path("kube-apiserver")
        argv = _api_server(program, self.folder, self._etcd_port, port or self._port)
        with _process(argv, self._log) as process:
            self._api_server = process
            _wait_ready(port or self._port, process, self._log, self._token)
            yield _kubeconfig(self.folder, port or self._port, self._token)

    def stop_api_server(self) -> None:
        """End the API server that was started last, at once, as a crash does."""
        assert self._api_server is not None
        self._api_server.kill()
        self._api_server.wait(10)

    @contextlib.contextmanager
    def second_api_server(self) -> Iterator[Path]:
        """Another API server over the same objects, for changes the first does not see happen."""
        with self.api_server(_free_port()) as kubeconfig:
            yield kubeconfig

    def prepare(self) -> None:
        """Write the credentials that every API server of this plane takes."""
        tokens = f'{self._token},admin,admin,"system:masters"\n'
        (self.folder / "tokens.csv").write_text(tokens)
        key = self.folder / "service-account.key"
        command = ["openssl", "genrsa", "-out", str(key), "2048"]
        subprocess.run(command, check=True, capture_output=True)

    def kubectl(
        self, *arguments: str, stdin: str | None = None, kubeconfig: Path | None = None
    ) -> str:
        """Run kubectl and return what it printed; fails the test if it fails."""
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig or self.kubeconfig)}
        done = subprocess.run(
            [self.kubectl_path, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
        )
        if done.returncode != 0:
            pytest.fail(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done.stdout


@contextlib.contextmanager
def prepared(folder: Path) -> Iterator[ControlPlane]:
    """A plane in ``folder`` whose etcd runs, without an API server yet."""
    built = binaries.cached()
    if built is None or shutil.which("etcd") is None:
        pytest.fail("no API server to test with: python -m tools.cluster up")
    plane = ControlPlane(folder, built)
    plane.prepare()
    with plane.etcd():
        yield plane


@contextlib.contextmanager
def running(folder: Path) -> Iterator[ControlPlane]:
    """A plane in ``folder`` that serves the project's kinds; ends with the context."""
    with prepared(folder) as plane, plane.api_server():
        serve_kinds(plane)
        yield plane


def serve_kinds(plane: ControlPlane) -> None:
    """Have the project's CRDs served."""
    plane.kubectl("apply", "--server-side", "-f", str(CRDS))
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
