"""OMS bundles made by hand, so that a test can spoil any part and sign it again."""

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from quorate.evidence import dsse
from quorate.evidence.model_signing import BUNDLE_TYPE, PREDICATE_TYPE
from quorate.keys import LocalSigner

INTOTO = "application/vnd.in-toto+json"
FILES = {"config.json": "01" * 32, "weights/model.safetensors": "02" * 32}


def signer(seed: int) -> LocalSigner:
    """A P-256 key that is the same in every run."""
    return LocalSigner(ec.derive_private_key(seed + 1, ec.SECP256R1()))


def root(resources: list[dict[str, Any]]) -> str:
    """The OMS root over resources in their order."""
    return hashlib.sha256(b"".join(bytes.fromhex(r["digest"]) for r in resources)).hexdigest()


def statement(files: dict[str, str] | None = None) -> dict[str, Any]:
    """A statement as the reference library writes it."""
    listed = FILES if files is None else files
    resources = [{"name": n, "algorithm": "sha256", "digest": d} for n, d in listed.items()]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "demo", "digest": {"sha256": root(resources)}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": [".git", ".gitattributes", ".github", ".gitignore"],
            },
            "resources": resources,
        },
    }


def bundle_object(payload: bytes, key: LocalSigner) -> dict[str, Any]:
    """A bundle as a JSON object around any payload."""
    return {
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": {
            "publicKey": {"hint": hashlib.sha256(key.public_key.pem.encode()).hexdigest()},
            "tlogEntries": [],
        },
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": INTOTO,
            "signatures": [
                {"sig": base64.b64encode(key.sign(dsse.pae(INTOTO, payload))).decode(), "keyid": ""}
            ],
        },
    }


def bundle(value: Any, key: LocalSigner) -> bytes:
    """A signed bundle over any statement."""
    return json.dumps(bundle_object(json.dumps(value).encode(), key)).encode()
