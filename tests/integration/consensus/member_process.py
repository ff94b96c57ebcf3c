"""Real member processes on loopback, with a made-up cluster's keys, tokens and objects."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate import names
from quorate.consensus import history as histories
from quorate.consensus.epoch import Admins, Epoch
from quorate.consensus.history import History
from quorate.consensus.thresholds import PRESETS, Thresholds
from quorate.genesis import encode, first_epoch
from quorate.keys import LocalSigner
from quorate_io.member_api import ObservedBatch, ObservedContainer, ObservedPod
from tests.fakes import vouching
from tests.fakes.service_account import ISSUER, RsaKey, claims, key_set, operator_claims, token

START_SECONDS = 60.0
FIRST = "1"
THRESHOLDS = {preset.n: preset for preset in PRESETS.values()} | {
    7: Thresholds(n=7, fast=4, strict=5, r=2)
}


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pem(key: ed25519.Ed25519PrivateKey) -> bytes:
    """A private key as the installation stores it."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@dataclass
class Cluster:
    """Files in ``folder``, and the documents an operator would relay.

    Its ``n`` members are called ``1``, ``2``, … and serve on 127.0.0.1, 127.0.0.2, …
    """

    folder: Path
    n: int = 1
    keys: dict[str, ed25519.Ed25519PrivateKey] = field(default_factory=dict)
    token_key: RsaKey = field(default_factory=RsaKey)
    owner: LocalSigner = field(default_factory=vouching.signer)
    producer: LocalSigner = field(default_factory=vouching.signer)
    admin: LocalSigner = field(default_factory=vouching.signer)
    port: int = field(default_factory=free_port)
    health_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.keys = {name: ed25519.Ed25519PrivateKey.generate() for name in self.names}
        self.write("genesis.json", encode(self.genesis))
        for name, key in self.keys.items():
            self.write(own(name, "key.pem"), pem(key))
        self.write("jwks.json", key_set(self.token_key))
        now = datetime.now(UTC)
        self.write("operator.token", token(self.token_key, operator_claims(now)).encode())
        self.write("pod.token", self.pod_token().encode())

    def write(self, name: str, data: bytes) -> None:
        """Replace a file at once, as the kubelet does."""
        fresh = self.folder / f".{name}"
        fresh.write_bytes(data)
        fresh.replace(self.folder / name)

    def pod_token(self, **details: Any) -> str:
        """A token of the pod."""
        return token(self.token_key, claims(now=datetime.now(UTC), **details))

    @property
    def names(self) -> tuple[str, ...]:
        """The members."""
        return tuple(str(number + 1) for number in range(self.n))

    @property
    def vote_key(self) -> ed25519.Ed25519PrivateKey:
        """The first member's key."""
        return self.keys[FIRST]

    @property
    def genesis(self) -> Epoch:
        """The genesis of the committee."""
        seats = vouching.seats([LocalSigner(key) for key in self.keys.values()])
        named = tuple(
            msgspec.structs.replace(seat, name=name)
            for seat, name in zip(seats, self.keys, strict=True)
        )
        admins = Admins((self.admin.public_key.pem,), 1)
        return first_epoch("cluster-1", named, THRESHOLDS[self.n], admins)

    @property
    def history(self) -> History:
        """What somebody knows who was given the genesis."""
        return histories.begin(self.genesis)

    @property
    def url(self) -> str:
        """Where the first member serves."""
        return self.template.replace(names.MEMBER_MARK, FIRST)

    @property
    def template(self) -> str:
        """Where all of them do."""
        return f"https://127.0.0.{names.MEMBER_MARK}:{self.port}"

    def floor(self) -> dict[str, Any]:
        """The platform's policy."""
        return vouching.policy(
            {
                "model": {
                    "signers": vouching.signers(self.owner),
                    "gates": [vouching.gate(self.producer)],
                    "servers": [{"name": "server", "digest": vouching.SERVER_DIGEST}],
                },
                "runtime": {"upstream": {"port": 8000}},
            }
        )

    def model(self, **gate_details: Any) -> dict[str, Any]:
        """The signed and gated model."""
        files = vouching.model_files()
        details = {"finished_at": datetime.now(UTC) - timedelta(minutes=1)} | gate_details
        return vouching.attested_model(
            files,
            bundles=(vouching.bundle(files, self.owner),),
            gates=(vouching.gate_result(files, self.producer, **details),),
        )

    def pod(self) -> ObservedPod:
        """The pod that ``pod.token`` is bound to."""
        return ObservedPod(
            uid="pod-uid-1",
            namespace="team-a",
            name="chat-0",
            labels={names.MODEL_LABEL: "demo"},
            node="node-1",
            containers=(
                *(
                    ObservedContainer(name=name, init=True, asked=vouching.SIDECAR_DIGEST)
                    for name in (names.MEASURE_CONTAINER, names.SIDECAR_CONTAINER)
                ),
                ObservedContainer(name="server", asked=vouching.SERVER_DIGEST),
            ),
        )

    def session(self, name: str = "s") -> ObservedBatch:
        """A whole session in one batch."""
        return ObservedBatch(
            session=name,
            sequence=1,
            reset=True,
            complete=True,
            policies=(self.floor(),),
            models=(self.model(),),
            pods=(self.pod(),),
        )

    def command(self, *extra: str, name: str = FIRST) -> list[str]:
        """The command line of a member."""
        key = own(name, "key.pem")
        files = {"--genesis": "genesis.json", "--key": key, "--token-keys": "jwks.json"}
        host = f"127.0.0.{name}"
        return [
            *(sys.executable, "-P", "-m", "quorate_consensus", "serve"),
            *(part for option, file in files.items() for part in (option, str(self.folder / file))),
            *("--issuer", ISSUER, "--tls-name", host),
            *("--listen", f"{host}:{self.port}", "--health", f"{host}:{self.health_port}"),
            *extra,
        ]

    @contextlib.contextmanager
    def member(self, *extra: str, name: str = FIRST) -> Iterator["subprocess.Popen[bytes]"]:
        """Run a member; it has ended when the block has."""
        with self._process(*extra, name=name) as process:
            self._await_ready(process, name)
            yield process

    @contextlib.contextmanager
    def members(self, *extra: str) -> Iterator[dict[str, "subprocess.Popen[bytes]"]]:
        """Run all of them."""
        with contextlib.ExitStack() as stack:
            running = {
                name: stack.enter_context(self._process(*extra, name=name)) for name in self.names
            }
            for name, process in running.items():
                self._await_ready(process, name)
            yield running

    def health(self, path: str, name: str = FIRST) -> str:
        """What a member's health server says."""
        url = f"http://127.0.0.{name}:{self.health_port}{path}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())

    def log(self, name: str = FIRST) -> str:
        """What a member logged."""
        return (self.folder / own(name, "member.log")).read_text()

    @contextlib.contextmanager
    def _process(self, *extra: str, name: str) -> Iterator["subprocess.Popen[bytes]"]:
        with (self.folder / own(name, "member.log")).open("ab") as log:
            process = subprocess.Popen(self.command(*extra, name=name), stderr=log, env=os.environ)
        try:
            yield process
        finally:
            # One that was stopped hears nothing else.
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise

    def _await_ready(self, process: "subprocess.Popen[bytes]", name: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError):
                if self.health("/readyz", name) == "ok\n":
                    return
            time.sleep(0.05)
        raise AssertionError(f"the member did not become ready:\n{self.log(name)}")


def own(name: str, file: str) -> str:
    """A file of one member; the first one's has no mark."""
    return file if name == FIRST else f"{name}-{file}"
