"""The pinned registry program on loopback, with what it stores in a folder."""

import contextlib
import hashlib
import json
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from quorate.evidence.oci import MANIFEST_TYPE, parse_reference
from quorate_io.registry import Credentials, RegistryClient, RegistryRules
from quorate_io.registry.publication import Publication
from tools.cluster import binaries

START_SECONDS = 20.0
REPOSITORY = "models/demo"
EMPTY = b"{}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class RealRegistry:
    """A registry that can be stopped and started again on the same port and folder."""

    folder: Path
    port: int = field(default_factory=_free_port)

    @property
    def host(self) -> str:
        """``host:port`` as references name it."""
        return f"127.0.0.1:{self.port}"

    @property
    def rules(self) -> RegistryRules:
        """Rules that let this registry be asked."""
        return RegistryRules(frozenset({self.host}), frozenset({self.host}))

    def client(self) -> RegistryClient:
        """A client that may ask it."""
        return RegistryClient(self.rules, Credentials(), ssl.create_default_context())

    @contextlib.contextmanager
    def running(self) -> Iterator["RealRegistry"]:
        """Serve while the block runs."""
        built = binaries.cached()
        assert built is not None, "make up, or python -m tools.cluster build"
        config = self.folder / "registry.yml"
        document = {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}},
            "http": {"addr": self.host},
        }
        config.write_text(json.dumps(document))
        command = [str(built.path("registry")), "serve", str(config)]
        environment = {"OTEL_TRACES_EXPORTER": "none"}
        with (self.folder / "registry.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            self._await()
            yield self
        finally:
            process.kill()
            process.wait(10)

    def _await(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{self.host}/v2/"):
                return
            time.sleep(0.05)
        raise AssertionError((self.folder / "registry.log").read_text())

    async def put_model(self, repository: str = REPOSITORY) -> str:
        """Push something to attach documents to; the reference by digest."""
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": {
                    "mediaType": "application/vnd.oci.empty.v1+json",
                    "digest": f"sha256:{hashlib.sha256(EMPTY).hexdigest()}",
                    "size": len(EMPTY),
                },
                "layers": [],
            }
        ).encode()
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        async with aiohttp.ClientSession() as session:
            root = f"http://{self.host}/v2/{repository}"
            empty = f"sha256:{hashlib.sha256(EMPTY).hexdigest()}"
            async with session.post(f"{root}/blobs/uploads/") as begun:
                location = begun.headers["Location"]
            async with session.put(f"{location}&digest={empty}", data=EMPTY) as put:
                assert put.status == 201
            async with session.put(
                f"{root}/manifests/v1", data=manifest, headers={"Content-Type": MANIFEST_TYPE}
            ) as put:
                assert put.status == 201, await put.text()
        return f"{self.host}/{repository}@{digest}"

    async def attach(self, reference: str, document: str, artifact_type: str) -> str:
        """Attach a document as the command line does; the digest of its manifest."""
        async with self.client() as client:
            publication = Publication(
                client.opened(), self.rules, Credentials(), parse_reference(reference)
            )
            return await publication.attach(document.encode(), artifact_type, {})

    def corrupt(self, document: str) -> None:
        """Have the registry answer other bytes of the same length for a document."""
        hexadecimal = hashlib.sha256(document.encode()).hexdigest()
        (path,) = self.folder.glob(f"data/**/{hexadecimal}/data")
        path.write_bytes(path.read_bytes().replace(b"a", b"b"))

    def corrupt_all(self) -> None:
        """Have it answer other bytes of the same length for every document."""
        for path in self.folder.glob("data/**/data"):
            data = path.read_bytes()
            if b"signatures" in data:
                path.write_bytes(data.replace(b"signatures", b"signaturez"))
