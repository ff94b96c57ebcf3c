"""A real API server of its own, for tests that would disturb a cluster somebody uses.

etcd and the pinned kube-apiserver on loopback, nothing else: no controllers and no nodes, so what a
test creates is touched by nobody but the code under test. Where the binaries are not built (a
machine that uses kind), the running cluster serves instead.
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
    path = folder / "kubeconfig"
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
    """A running API server: its kubeconfig and a kubectl for it."""

    def __init__(self, kubeconfig: Path, kubectl: Path) -> None:
        self.kubeconfig = kubeconfig
        self._kubectl = kubectl

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl and return what it printed; fails the test if it fails."""
        done = subprocess.run(
            [str(self._kubectl), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
        )
        if done.returncode != 0:
            pytest.fail(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done.stdout


@contextlib.contextmanager
def running(folder: Path) -> Iterator[ControlPlane]:
    """Start one in ``folder`` with the project's CRDs served; ends with the context."""
    built = binaries.cached()
    if built is None or shutil.which("etcd") is None:
        pytest.fail("no API server to test with: python -m tools.cluster up")
    etcd_port, peer_port, port = _free_port(), _free_port(), _free_port()
    token = secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
    subprocess.run(
        ["openssl", "genrsa", "-out", str(folder / "service-account.key"), "2048"],
        check=True,
        capture_output=True,
    )
    etcd = _process(_etcd(folder, etcd_port, peer_port), folder / "etcd.log")
    program = built.path("kube-apiserver")
    log = folder / "kube-apiserver.log"
    with etcd, _process(_api_server(program, folder, etcd_port, port), log) as process:
        _wait_ready(port, process, log, token)
        plane = ControlPlane(_kubeconfig(folder, port, token), built.path("kubectl"))
        plane.kubectl("apply", "--server-side", "-f", str(CRDS))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        yield plane
