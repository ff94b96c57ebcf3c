"""A private Sigstore: certificate authority, certificate log, transparency log, all in memory.

Everything it makes is real: what verifies against it would verify against the public instance, had
that signed it.
"""

import base64
import hashlib
import json
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from quorate.evidence import dsse
from quorate.evidence.signatures import BUNDLE_TYPE
from quorate.keys import LocalSigner
from tests.fakes.authorities import Authority, der, pem
from tests.fakes.vouching import NOW

INTOTO = "application/vnd.in-toto+json"
ISSUER = "https://issuer.example.com"
IDENTITY = "https://ci.example.com/models/release.yml@refs/heads/main"
_SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_ISSUER_V1 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_V2 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")


def b64(data: bytes) -> str:
    """Standard base64 as text."""
    return base64.b64encode(data).decode()


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _utf8(text: str) -> bytes:
    """A DER UTF8String of at most 127 bytes."""
    return b"\x0c" + bytes([len(text.encode())]) + text.encode()


@dataclass
class Instance:
    """One instance; two of them trust nothing of each other."""

    authority: Authority = field(default_factory=lambda: Authority("sigstore.test"))
    certificate_log: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    log: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    identity: str = IDENTITY
    issuer: str = ISSUER
    names: tuple[x509.GeneralName, ...] = ()

    @property
    def log_id(self) -> bytes:
        """The transparency log's id."""
        return hashlib.sha256(_spki(self.log)).digest()

    @property
    def trusted_root(self) -> str:
        """What a policy holds to trust this instance."""

        def log(key: ec.EllipticCurvePrivateKey, url: str) -> dict[str, Any]:
            return {
                "baseUrl": url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": b64(_spki(key)),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": {"start": "2021-01-01T00:00:00Z"},
                },
                "logId": {"keyId": b64(hashlib.sha256(_spki(key)).digest())},
            }

        return json.dumps(
            {
                "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
                "tlogs": [log(self.log, "https://log.example.test")],
                "certificateAuthorities": [
                    {
                        "subject": {"organization": "test", "commonName": "sigstore.test"},
                        "uri": "https://ca.example.test",
                        "certChain": {
                            "certificates": [{"rawBytes": b64(der(self.authority.certificate))}]
                        },
                        "validFor": {"start": "2021-01-01T00:00:00Z"},
                    }
                ],
                "ctlogs": [log(self.certificate_log, "https://ct.example.test")],
                "timestampAuthorities": [],
            }
        )

    def certificate(self, key: ec.EllipticCurvePrivateKey, at: datetime) -> x509.Certificate:
        """A certificate of ten minutes for this instance's identity, logged."""
        extensions: tuple[x509.ExtensionType, ...] = (
            x509.UnrecognizedExtension(_ISSUER_V1, self.issuer.encode()),
            x509.UnrecognizedExtension(_ISSUER_V2, _utf8(self.issuer)),
        )
        names = self.names or (x509.UniformResourceIdentifier(self.identity),)
        serial = x509.random_serial_number()

        def issue(*more: x509.ExtensionType) -> x509.Certificate:
            return self.authority.issue(
                key,
                *names,
                not_before=at,
                not_after=at + timedelta(minutes=10),
                extensions=(*extensions, *more),
                serial_number=serial,
            )

        stamp = self._certificate_timestamp(issue().tbs_certificate_bytes, at)
        return issue(x509.UnrecognizedExtension(_SCT_LIST, stamp))

    def _certificate_timestamp(self, precertificate: bytes, at: datetime) -> bytes:
        """RFC 6962, section 3.2 and 3.3."""
        issuer = hashlib.sha256(_spki(self.authority.key)).digest()
        milliseconds = int(at.timestamp()) * 1000
        entry = issuer + struct.pack("!I", len(precertificate))[1:] + precertificate
        signed = struct.pack("!BBQH", 0, 0, milliseconds, 1) + entry + b"\0\0"
        signature = self.certificate_log.sign(signed, ec.ECDSA(hashes.SHA256()))
        log_id = hashlib.sha256(_spki(self.certificate_log)).digest()
        stamp = b"\0" + log_id + struct.pack("!QH", milliseconds, 0) + b"\4\3"
        stamp += struct.pack("!H", len(signature)) + signature
        listed = struct.pack("!HH", len(stamp) + 2, len(stamp)) + stamp
        assert len(listed) < 128, "one length octet is enough for one P-256 signature"
        return b"\x04" + bytes([len(listed)]) + listed

    def sign(
        self,
        payload: bytes,
        *,
        at: datetime = NOW - timedelta(days=90),
        payload_type: str = INTOTO,
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> dict[str, Any]:
        """A bundle with an envelope over ``payload``, signed and logged at that time."""
        key = key or _key()
        certificate = self.certificate(key, at)
        signature = LocalSigner(key).sign(dsse.pae(payload_type, payload))
        body = {
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": {"algorithm": "sha256", "value": "00" * 32},
                "payloadHash": {
                    "algorithm": "sha256",
                    "value": hashlib.sha256(payload).hexdigest(),
                },
                "signatures": [
                    {"signature": b64(signature), "verifier": b64(pem(certificate).encode())}
                ],
            },
        }
        return {
            "mediaType": BUNDLE_TYPE,
            "verificationMaterial": self._material(certificate, body, at),
            "dsseEnvelope": {
                "payload": b64(payload),
                "payloadType": payload_type,
                "signatures": [{"sig": b64(signature)}],
            },
        }

    def sign_message(
        self, message: bytes, *, at: datetime = NOW - timedelta(days=90)
    ) -> dict[str, Any]:
        """A bundle with a signature of ``message`` itself."""
        key = _key()
        certificate = self.certificate(key, at)
        signature = LocalSigner(key).sign(message)
        digest = hashlib.sha256(message)
        body = {
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": {"hash": {"algorithm": "sha256", "value": digest.hexdigest()}},
                "signature": {
                    "content": b64(signature),
                    "publicKey": {"content": b64(pem(certificate).encode())},
                },
            },
        }
        return {
            "mediaType": BUNDLE_TYPE,
            "verificationMaterial": self._material(certificate, body, at),
            "messageSignature": {
                "messageDigest": {"algorithm": "SHA2_256", "digest": b64(digest.digest())},
                "signature": b64(signature),
            },
        }

    def _material(
        self, certificate: x509.Certificate, body: dict[str, Any], at: datetime
    ) -> dict[str, Any]:
        return {
            "certificate": {"rawBytes": b64(der(certificate))},
            "tlogEntries": [self._entry(rfc8785.dumps(body), body, at)],
        }

    def _entry(self, body: bytes, fields: dict[str, Any], at: datetime) -> dict[str, Any]:
        """The log's entry: second of two leaves, so that there is a path to prove."""
        seconds = int((at + timedelta(seconds=5)).astimezone(UTC).timestamp())
        leaf = hashlib.sha256(b"\0" + body).digest()
        sibling = hashlib.sha256(b"\0another entry").digest()
        root = hashlib.sha256(b"\1" + sibling + leaf).digest()
        note = f"log.example.test - 1\n2\n{b64(root)}\n"
        promise = rfc8785.dumps(
            {
                "body": b64(body),
                "integratedTime": seconds,
                "logID": self.log_id.hex(),
                "logIndex": 1,
            }
        )
        sealed = b64(self.log_id[:4] + self._log_signature(note.encode()))
        return {
            "logIndex": "1",
            "logId": {"keyId": b64(self.log_id)},
            "kindVersion": {"kind": fields["kind"], "version": fields["apiVersion"]},
            "integratedTime": str(seconds),
            "inclusionPromise": {"signedEntryTimestamp": b64(self._log_signature(promise))},
            "inclusionProof": {
                "logIndex": "1",
                "rootHash": b64(root),
                "treeSize": "2",
                "hashes": [b64(sibling)],
                "checkpoint": {"envelope": f"{note}\n\u2014 log.example.test {sealed}\n"},
            },
            "canonicalizedBody": b64(body),
        }

    def _log_signature(self, data: bytes) -> bytes:
        return self.log.sign(data, ec.ECDSA(hashes.SHA256()))
