"""What the cosign program wrote into a registry: see tests/assets/cosign/README.md."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from quorate.api.v1alpha1 import ClusterSafetyPolicy
from quorate.api.v1alpha1.document_source import BUNDLE_TYPE
from quorate.api.v1alpha1.meta import read
from quorate.evidence.image_signing import embedded, signature_layers
from quorate.evidence.oci import parse_artifact, parse_index
from quorate.evidence.signatures import Context
from quorate.policy.compiled import CompiledPolicy, compile_policy
from quorate.policy.fetched import FetchedSignatures
from quorate.policy.server_images import ServerImages, judge_servers
from tests.fakes.vouching import NOW, policy

ASSETS = Path(__file__).resolve().parents[1] / "assets" / "cosign"
OTHER = f"sha256:{'0' * 64}"
"""An image that nobody signed."""


@dataclass(frozen=True)
class Recorded:
    """One image, what lay beside it after cosign ran, and whom a policy would trust."""

    name: str
    document: dict[str, Any]

    @property
    def image(self) -> str:
        """Its digest."""
        return str(self.document["image"])

    @property
    def people(self) -> int:
        """How many signed."""
        return len(self.document.get("keys", ["the certificate's owner"]))

    def tag(self, suffix: str = "") -> bytes | None:
        """The manifest under a tag of the image, if there is one."""
        found = self.document["tags"].get(self.image.replace(":", "-") + suffix)
        return found["text"].encode() if found else None

    def content(self, digest: str) -> bytes:
        """A manifest or layer."""
        text: str = self.document["contents"][digest]["text"]
        return text.encode()

    def documents(self) -> tuple[str, ...]:
        """What a reading gives: bundles, and layers with their content."""
        found = []
        for entry in parse_index(self.tag() or b'{"schemaVersion":2,"manifests":[]}'):
            if entry.artifact_type == BUNDLE_TYPE:
                layers = parse_artifact(self.content(entry.digest)).layers
                found += [self.content(layer.digest) for layer in layers]
        older = self.tag(".sig")
        for layer in signature_layers(older) if older else ():
            found.append(embedded(layer, self.content(layer.digest)))
        return tuple(sorted(document.decode() for document in found))

    def policy(self) -> CompiledPolicy:
        """A policy that names the image and another, and wants all who signed."""
        servers = [
            {"name": "a", "digest": self.image, "signatureRepository": "registry.test/a"},
            {"name": "b", "digest": OTHER, "signatureRepository": "registry.test/a"},
        ]
        model = {"servers": servers, "serverSigners": self.signers()}
        return compile_policy(read(ClusterSafetyPolicy, policy({"model": model})))

    def signers(self) -> dict[str, Any]:
        """Whom the policy trusts."""
        if "keys" in self.document:
            keys = self.document["keys"]
            named = [{"name": f"key-{n}", "publicKey": key} for n, key in enumerate(keys)]
            return {"threshold": self.people, "keys": named}
        certificate = {
            "name": "builder",
            "ca": self.document["authority"],
            "subjectAlternativeName": self.document["subjectAlternativeName"],
        }
        return {"certificates": [certificate]}

    def judged(self, *documents: str) -> ServerImages:
        """What a member says if these documents lie beside both images."""
        fetched = FetchedSignatures(((self.image, documents), (OTHER, documents)))
        return judge_servers(replace(self.policy(), fetched=fetched), Context(NOW))

    def signed(self, *documents: str) -> set[str]:
        """Images that are signed by all who must."""
        return {image.digest for image in self.judged(*documents).signed}


@cache
def recordings() -> dict[str, Recorded]:
    """All of them, by name."""
    found = sorted(ASSETS.glob("*.json"))
    return {path.stem: Recorded(path.stem, json.loads(path.read_text())) for path in found}


def digest(data: bytes) -> str:
    """The digest of some bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
