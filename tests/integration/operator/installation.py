"""An installation whose parts run as processes of this machine, at an API server of its own.

Every part has exactly the rights that the chart gives its service account, and the tokens that the
API server gives out. There is no webhook and no kubelet: what they would do is not tested here.
"""

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from quorate import names
from tests.contract.operator.control_plane import ControlPlane
from tools.cluster import binaries

CHART = Path(__file__).resolve().parents[3] / "charts" / "quorate"
START_SECONDS = 30.0
WAIT_SECONDS = 30.0
CERTIFICATE_LIFE = 60
Document = dict[str, Any]
_DIGEST = f"sha256:{'d' * 64}"
_IMAGES = ",".join(
    f"images.{room}=registry.test/{room}@{_DIGEST}"
    for room in ("operator", "webhook", "member", "sidecar")
)
_TEMPLATES = ("operator/rbac", "operator/evidence", "install/rbac", "webhooks", "injection")


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(holds: Callable[[], bool], what: str, seconds: float = WAIT_SECONDS) -> float:
    """Wait until something holds; returns how long it took."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        if holds():
            return time.monotonic() - begun
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def chart_documents(*templates: str) -> list[Document]:
    """What the chart makes of these templates with its own values."""
    built = binaries.cached()
    assert built is not None
    shown = [part for name in templates for part in ("--show-only", f"templates/{name}.yaml")]
    command = [str(built.path("helm")), "template", "quorate", str(CHART)]
    command += ["--namespace", names.NAMESPACE, "--set", _IMAGES, *shown]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [d for d in yaml.safe_load_all(done.stdout) if d]


def chart_objects() -> str:
    """What the chart installs before its pods: accounts, rights, webhook configurations."""
    documents = chart_documents(*_TEMPLATES)
    for document in documents:
        for webhook in document.get("webhooks") or ():
            # Nobody answers here, and a test's pods must not wait for it.
            webhook["failurePolicy"] = "Ignore"
            webhook["timeoutSeconds"] = 1
    return yaml.safe_dump_all(documents)


@dataclass
class Part:
    """A running process, its log, and its health."""

    process: "subprocess.Popen[bytes]"
    log: Path
    health_port: int

    def get(self, path: str) -> tuple[int, str]:
        """Ask the health server; status 0 if nobody answers."""
        url = f"http://127.0.0.1:{self.health_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str, labels: str = "") -> float:
        """The value of a metric; 0 if there is none."""
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(f"{name}{labels} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def ready(self) -> bool:
        """Whether it says that it is ready. Fails the test if it ended."""
        if self.process.poll() is not None:
            raise AssertionError(f"ended with {self.process.returncode}:\n{self.text[-4000:]}")
        return self.get("/readyz")[0] == 200

    @property
    def text(self) -> str:
        """The log."""
        return self.log.read_text("utf-8", "replace")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal it, wait, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@dataclass
class Installation:
    """The namespace quorate-system, the files its pods would mount, and the parts."""

    plane: ControlPlane
    folder: Path
    member_port: int = field(default_factory=free_port)
    _parts: int = 0

    # Objects --------------------------------------------------------------------------------
    def kubectl(self, *arguments: str, stdin: Document | str | None = None) -> str:
        """Run kubectl as the administrator."""
        text = json.dumps(stdin) if isinstance(stdin, dict) else stdin
        return self.plane.kubectl(*arguments, stdin=text)

    def apply(self, document: Document) -> None:
        """Create or change an object as its owner would."""
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=document)

    def get(self, kind: str, name: str, namespace: str = names.NAMESPACE) -> Document:
        """An object."""
        text = self.kubectl("-n", namespace, "get", kind, name, "-o", "json")
        document: Document = json.loads(text)
        return document

    # Set-up -----------------------------------------------------------------------------------
    def prepare(self) -> None:
        """What `helm install` does before any pod runs, and the install Job."""
        self.kubectl("create", "namespace", names.NAMESPACE)
        self.kubectl("apply", "--server-side", "-f", "-", stdin=chart_objects())
        done = self.command("quorate-install", "install", "--timeout", "20")
        assert done.returncode == 0, done.stderr
        self._write_files()

    def kubeconfig(self, account: str) -> Path:
        """Credentials of a service account of quorate-system."""
        token = self.kubectl("-n", names.NAMESPACE, "create", "token", account)
        document = yaml.safe_load(self.plane.kubeconfig.read_text())
        document["users"] = [{"name": "admin", "user": {"token": token.strip()}}]
        path = self.folder / f"kubeconfig-{account}"
        path.write_text(yaml.safe_dump(document))
        return path

    def command(self, account: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a short command of the operator's package with an account's rights."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "quorate_operator", *arguments],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig(account))},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def _write_files(self) -> None:
        genesis = self.get("configmap", "quorate-genesis")["data"]
        keys = self.get("configmap", "quorate-token-keys")["data"]
        key = self.get("secret", "quorate-member-key")["data"]["key.pem"]
        injection = json.loads(self.get("configmap", "quorate-injection")["data"]["injection.json"])
        self.write("genesis/genesis.json", genesis["genesis.json"].encode())
        self.write("genesis/digest", genesis["digest"].encode())
        self.write("token-keys/jwks.json", keys["jwks.json"].encode())
        self.write("token-keys/issuer", keys["issuer"].encode())
        self.write("key/key.pem", base64.b64decode(key))
        self.write("injection/injection.json", json.dumps(injection).encode())
        self.write("token/token", self._bound_token().encode())

    def _bound_token(self) -> str:
        """The projected token of the operator's pod."""
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "operator", "namespace": names.NAMESPACE},
            "spec": {
                "serviceAccountName": names.OPERATOR_ACCOUNT,
                "containers": [{"name": "c", "image": "example.test/none"}],
            },
        }
        self.kubectl("create", "-f", "-", stdin=pod)
        return self.kubectl(
            *("-n", names.NAMESPACE, "create", "token", names.OPERATOR_ACCOUNT),
            *("--audience", names.AUDIENCE, "--duration", "1h"),
            *("--bound-object-kind", "Pod", "--bound-object-name", "operator"),
        ).strip()

    def write(self, name: str, data: bytes) -> None:
        """Replace a mounted file at once, as the kubelet does."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        fresh = path.with_name(f".{path.name}")
        fresh.write_bytes(data)
        fresh.replace(path)

    # Parts ------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def member(self, *, certificate_life: int = CERTIFICATE_LIFE) -> Iterator[Part]:
        """Run the member; it has ended when the block has. The life is in seconds."""
        health = free_port()
        issuer = (self.folder / "token-keys" / "issuer").read_text()
        arguments = [
            *("quorate_consensus", "serve", "--genesis", self._path("genesis/genesis.json")),
            *("--key", self._path("key/key.pem")),
            *("--token-keys", self._path("token-keys/jwks.json")),
            *("--issuer", issuer, "--tls-name", "127.0.0.1"),
            *("--listen", f"127.0.0.1:{self.member_port}", "--health", f"127.0.0.1:{health}"),
            *("--certificate-life", str(certificate_life)),
        ]
        with self._running(arguments, health, {}) as part:
            eventually(part.ready, "the member is ready", START_SECONDS)
            yield part

    @contextlib.contextmanager
    def operator(self, *, wait: bool = True, **environment: str) -> Iterator[Part]:
        """Run the operator; it has ended when the block has."""
        health = free_port()
        variables = {
            "KUBECONFIG": str(self.kubeconfig(names.OPERATOR_ACCOUNT)),
            "QUORATE_CONFIG": str(self.folder),
            "QUORATE_TOKEN_FILE": self._path("token/token"),
            "QUORATE_MEMBER_URLS": f"https://127.0.0.1:{self.member_port}",
            "QUORATE_HEALTH_PORT": str(health),
            "QUORATE_POD_NAME": "quorate-operator-0",
        }
        with self._running(["quorate_operator", "run"], health, variables | environment) as part:
            if wait:
                eventually(part.ready, "the operator is ready", START_SECONDS)
            yield part

    @contextlib.contextmanager
    def _running(
        self, arguments: list[str], health: int, variables: dict[str, str]
    ) -> Iterator[Part]:
        self._parts += 1
        log = self.folder / f"{self._parts:02}-{arguments[0]}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", *arguments],
                stdout=output,
                stderr=output,
                env={**os.environ, **variables},
            )
        part = Part(process, log, health)
        try:
            yield part
        finally:
            part.stop()

    def _path(self, name: str) -> str:
        return str(self.folder / name)
