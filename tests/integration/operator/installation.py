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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from quorate import names
from quorate.consensus import judge_sets
from quorate.consensus.thresholds import PRESETS
from quorate_operator.install.seats import VARIABLE
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


def chart_objects(members: Sequence[str]) -> str:
    """What the chart installs before its pods: accounts, rights, webhook configurations."""
    documents = chart_documents(*_TEMPLATES)
    keys = [names.member_key(member) for member in members]
    for document in documents:
        for rule in document.get("rules") or ():
            named = rule.get("resourceNames", [])
            if names.member_key("member-0") in named:
                # The chart's members are hosts of a cluster's DNS; these are addresses.
                kept = [name for name in named if not name.startswith("quorate-member-")]
                rule["resourceNames"] = [*kept, *keys]
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
    preset: str = "dev"
    member_port: int = field(default_factory=free_port)
    _parts: int = 0

    @property
    def member_names(self) -> tuple[str, ...]:
        """The members' seats. One of several is named for the last part of its own address."""
        n = PRESETS[self.preset].n
        return ("member-0",) if n == 1 else tuple(str(number) for number in range(2, 2 + n))

    def member_host(self, member: str) -> str:
        """The address that a member listens on."""
        return "127.0.0.1" if self.preset == "dev" else f"127.0.0.{member}"

    @property
    def member_url(self) -> str:
        """Where members are, as injected containers and the operator are told."""
        return f"https://{self.member_host(names.MEMBER_MARK)}:{self.member_port}"

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
        self.kubectl("apply", "--server-side", "-f", "-", stdin=chart_objects(self.member_names))
        done = self.command("quorate-install", "install", "--timeout", "20")
        assert done.returncode == 0, done.stderr
        self.write_files()

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
            env={
                **os.environ,
                "KUBECONFIG": str(self.kubeconfig(account)),
                VARIABLE: json.dumps(self._committee()),
            },
            capture_output=True,
            text=True,
            timeout=120,
        )

    def _committee(self) -> Document:
        """What the chart tells the install Job."""
        sets = [*judge_sets.shipped().sets]
        members = [
            {"name": name, "judges": judges, "failureDomain": name}
            for name, judges in zip(self.member_names, sets, strict=False)
        ]
        return {"preset": self.preset, "members": members}

    def write_files(self) -> None:
        """What pods would mount, as it is in the cluster now."""
        genesis = self.get("configmap", "quorate-genesis")["data"]
        keys = self.get("configmap", "quorate-token-keys")["data"]
        injection = json.loads(self.get("configmap", "quorate-injection")["data"]["injection.json"])
        self.write("genesis/genesis.json", genesis["genesis.json"].encode())
        self.write("genesis/digest", genesis["digest"].encode())
        self.write("token-keys/jwks.json", keys["jwks.json"].encode())
        self.write("token-keys/issuer", keys["issuer"].encode())
        for member in self.member_names:
            key = self.get("secret", names.member_key(member))["data"]["key.pem"]
            self.write(f"key-{member}/key.pem", base64.b64decode(key))
        injection["memberUrl"] = self.member_url
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
        self.apply(pod)
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
    def member(self, name: str = "", *, certificate_life: int = CERTIFICATE_LIFE) -> Iterator[Part]:
        """Run a member, the first if none is named; it has ended when the block has.

        The life is in seconds.
        """
        name, health = name or self.member_names[0], free_port()
        host, issuer = self.member_host(name), (self.folder / "token-keys" / "issuer").read_text()
        arguments = [
            *("quorate_consensus", "serve", "--genesis", self._path("genesis/genesis.json")),
            *("--key", self._path(f"key-{name}/key.pem")),
            *("--token-keys", self._path("token-keys/jwks.json")),
            *("--issuer", issuer, "--tls-name", host),
            *("--listen", f"{host}:{self.member_port}", "--health", f"127.0.0.1:{health}"),
            *("--certificate-life", str(certificate_life)),
        ]
        with self._running(arguments, health, {}) as part:
            eventually(part.ready, f"{name} is ready", START_SECONDS)
            yield part

    @contextlib.contextmanager
    def members(self) -> Iterator[dict[str, Part]]:
        """Run all members, by name; they have ended when the block has."""
        with contextlib.ExitStack() as stack:
            yield {name: stack.enter_context(self.member(name)) for name in self.member_names}

    @contextlib.contextmanager
    def operator(self, *, wait: bool = True, **environment: str) -> Iterator[Part]:
        """Run the operator; it has ended when the block has."""
        health = free_port()
        variables = {
            "KUBECONFIG": str(self.kubeconfig(names.OPERATOR_ACCOUNT)),
            "QUORATE_CONFIG": str(self.folder),
            "QUORATE_TOKEN_FILE": self._path("token/token"),
            "QUORATE_MEMBER_URL": self.member_url,
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
