"""Records what the cosign program writes into a registry: ``python -m … COSIGN``.

Not part of any test run: the program takes long to build. It is run by hand for each version that
is tried, and the tests read what it recorded (tests/assets/cosign/README.md).
"""

import asyncio
import json
import logging
import os
import subprocess
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from quorate.api.v1alpha1.document_source import BUNDLE_TYPE
from quorate.evidence.image_signing import sign_image
from quorate.evidence.oci import INDEX_TYPE, MANIFEST_TYPE
from quorate.keys import LocalSigner
from tests.fakes.authorities import Authority, pem
from tests.fakes.vouching import NOW
from tests.integration.registry.real_registry import RealRegistry

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "cosign"
SAN = "builder@example.com"
OFFLINE = ("--use-signing-config=false", "--tlog-upload=false", "--yes")
OLDER = "--new-bundle-format=false"
BUNDLE = "--new-bundle-format=true"
PASSWORD = "recorded"
Json = dict[str, Any]

log = logging.getLogger(__name__)


@dataclass
class Recorder:
    """One cosign program, one registry, one folder of keys."""

    cosign: str
    registry: RealRegistry
    folder: Path

    def run(self, *arguments: str) -> str:
        """Run cosign; what it said. Raises if it failed."""
        environment = {
            "COSIGN_PASSWORD": PASSWORD,
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
            # Offline: every address but the registry's is one where nobody listens.
            "HTTPS_PROXY": "http://127.0.0.1:9",
        }
        done = subprocess.run(
            [self.cosign, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode != 0:
            raise RuntimeError(f"cosign {' '.join(arguments)}: {done.stderr}")
        return done.stdout + done.stderr

    def version(self) -> str:
        """The program's version."""
        return str(json.loads(self.run("version", "--json"))["gitVersion"])

    def import_key(self, name: str, key: Any) -> str:
        """Have cosign take in a key; its public key (PEM)."""
        plain = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (self.folder / f"{name}.plain").write_bytes(plain)
        arguments = ("--key", f"{name}.plain", "--output-key-prefix", name, "--yes")
        self.run("import-key-pair", *arguments)
        return (self.folder / f"{name}.pub").read_text()

    def record(self, name: str, trusts: Json, *commands: tuple[str, ...]) -> None:
        """Sign a new image with these commands, and keep what the registry then holds."""
        repository = f"recorded/{name}"
        reference = asyncio.run(self.registry.put_model(repository))
        image = reference.partition("@")[2]
        for command in commands:
            self.run(*command, reference)
        said = [" ".join(("cosign", *command, "IMAGE")) for command in commands]
        recorded = {"cosign": self.version(), "commands": said, "image": image, **trusts}
        recorded |= self.contents(repository)
        target = ASSETS / f"{name}.json"
        target.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")
        log.info("%s: %s", target.name, ", ".join(recorded["tags"]))

    def contents(self, repository: str) -> Json:
        """All tags but the image's own, and every manifest and blob they lead to, as text."""
        listed = json.loads(self.get(f"{repository}/tags/list")[1])["tags"]
        tags, found = {}, {}
        for tag in sorted(set(listed) - {"v1"}):
            kind, data = self.get(f"{repository}/manifests/{tag}")
            tags[tag] = {"mediaType": kind, "text": data.decode()}
            document = json.loads(data)
            for entry in document.get("manifests", []):
                kind, inner = self.get(f"{repository}/manifests/{entry['digest']}")
                found[entry["digest"]] = {"mediaType": kind, "text": inner.decode()}
                found |= self.layers(repository, json.loads(inner))
            found |= self.layers(repository, document)
        return {"tags": tags, "contents": found}

    def layers(self, repository: str, manifest: Json) -> Json:
        """The layers of a manifest."""
        found = {}
        for layer in manifest.get("layers", []):
            _, data = self.get(f"{repository}/blobs/{layer['digest']}")
            found[layer["digest"]] = {"mediaType": "", "text": data.decode()}
        return found

    def get(self, path: str) -> tuple[str, bytes]:
        """Type and bytes of what the registry serves."""
        url = f"http://{self.registry.host}/v2/{path}"
        request = urllib.request.Request(url, headers={"Accept": f"{MANIFEST_TYPE}, {INDEX_TYPE}"})
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - http, ours
            return answer.headers.get("Content-Type", ""), answer.read()


def sign(key: str, *more: str) -> tuple[str, ...]:
    """The command that signs by a key."""
    return ("sign", "--key", f"{key}.key", *OFFLINE, *more)


def record_all(recorder: Recorder, mark: str) -> None:
    """Every form that is tried, under names that end in ``mark``."""
    keys = {
        "p256": recorder.import_key("p256", ec.generate_private_key(ec.SECP256R1())),
        "second": recorder.import_key("second", ec.generate_private_key(ec.SECP256R1())),
        "p384": recorder.import_key("p384", ec.generate_private_key(ec.SECP384R1())),
        "ed25519": recorder.import_key("ed25519", ed25519.Ed25519PrivateKey.generate()),
    }
    for name in ("p256", "p384", "ed25519"):
        trusts = {"keys": [keys[name]]}
        recorder.record(f"bundle-{name}-{mark}", trusts, sign(name, BUNDLE))
        recorder.record(f"tag-{name}-{mark}", trusts, sign(name, OLDER))
    both = {"keys": [keys["p256"], keys["second"]]}
    recorder.record(f"tag-two-{mark}", both, sign("p256", OLDER), sign("second", OLDER))
    recorder.record(f"bundle-two-{mark}", both, sign("p256", BUNDLE), sign("second", BUNDLE))
    recorder.record(f"mixed-{mark}", both, sign("p256", BUNDLE), sign("second", OLDER))
    (recorder.folder / "predicate.json").write_text("{}")
    attest = ("attest", "--predicate", "predicate.json", "--key", "p256.key", *OFFLINE, BUNDLE)
    trusts = {"keys": [keys["p256"]]}
    recorder.record(f"attested-{mark}", trusts, attest, sign("p256", BUNDLE))
    record_certificates(recorder, mark)


def record_certificates(recorder: Recorder, mark: str) -> None:
    """Signed with a certificate of an authority with one intermediate."""
    far = NOW + timedelta(days=36_500)
    root = Authority("Root", not_after=far)
    middle = Authority("Intermediate", parent=root, not_after=far)
    key = ec.generate_private_key(ec.SECP256R1())
    recorder.import_key("leaf", key)
    leaf = middle.issue(key, x509.RFC822Name(SAN), not_after=far)
    (recorder.folder / "leaf.pem").write_text(pem(leaf))
    (recorder.folder / "chain.pem").write_text(pem(middle.certificate, root.certificate))
    with_leaf = ("--certificate", "leaf.pem", "--certificate-chain", "chain.pem")
    trusts = {"authority": pem(root.certificate), "subjectAlternativeName": SAN}
    for name, more in (("tag", (OLDER,)), ("bundle", (BUNDLE,))):
        try:
            command = sign("leaf", *with_leaf, *more)
            recorder.record(f"{name}-certificate-{mark}", trusts, command)
        except RuntimeError as error:
            log.warning("not recorded: %s", error)


def verify_ours(recorder: Recorder) -> None:
    """Whether cosign accepts what `quorate sign --image` and `quorate push` make."""
    key = ec.generate_private_key(ec.SECP256R1())
    recorder.import_key("ours", key)
    reference = asyncio.run(recorder.registry.put_model("recorded/ours"))
    bundle = sign_image(reference.partition("@")[2], LocalSigner(key))
    asyncio.run(recorder.registry.attach(reference, bundle.decode(), BUNDLE_TYPE))
    arguments = ("--key", "ours.pub", "--insecure-ignore-tlog=true", BUNDLE)
    try:
        log.info("cosign verify: %s", recorder.run("verify", *arguments, reference))
    except RuntimeError as error:
        log.warning("not verified: %s", error)


def main() -> None:
    """Record with the program that the first argument names."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    cosign = str(Path(sys.argv[1]).absolute())
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        registry = RealRegistry(folder)
        with registry.running():
            recorder = Recorder(cosign, registry, folder)
            record_all(recorder, recorder.version().partition(".")[0])
            verify_ours(recorder)


if __name__ == "__main__":
    main()
