"""The Sigstore bundle (v0.3): a signature, and what is needed to verify it. Read strictly.

Which method it is follows from its material alone: a public key's hint, a chain of certificates,
or one certificate with an entry of a transparency log. Whatever nothing would verify is refused.
"""

from dataclasses import dataclass
from typing import Any, Final

from quorate import limits
from quorate.canonical import parse_object
from quorate.errors import InvalidInput, LimitExceeded
from quorate.evidence import dsse
from quorate.evidence.signatures.accepted import Method

BUNDLE_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
CHAIN_MAX: Final = 6
"""Certificates in one chain, the leaf included."""
CERTIFICATE_BYTES_MAX: Final = 16 * limits.KIB
TIMESTAMPS_MAX: Final = 4
TIMESTAMP_BYTES_MAX: Final = 32 * limits.KIB
_MATERIAL: Final = "verificationMaterial"
_ENTRY_FIELDS: Final = {
    "logIndex",
    "logId",
    "kindVersion",
    "integratedTime",
    "inclusionPromise",
    "inclusionProof",
    "canonicalizedBody",
}


@dataclass(frozen=True, slots=True)
class Bundle:
    """A parsed bundle. Nothing in it is to be believed before it is verified.

    Holds either ``envelope`` or ``message_signature``. ``chain`` is empty for the method key;
    ``raw`` is the bundle as it came, for the part that reads the log's entry.
    """

    method: Method
    envelope: dsse.Envelope | None
    message_signature: bytes
    message_digest: bytes
    """SHA-256 of the message as the bundle states it; empty if it does not."""
    chain: tuple[bytes, ...]
    timestamps: tuple[bytes, ...]
    raw: bytes

    @property
    def signature(self) -> bytes:
        """The signature that timestamps are about."""
        return self.envelope.signatures[0].sig if self.envelope else self.message_signature


def parse_bundle(data: bytes, *, bytes_max: int = limits.EVIDENCE_BYTES) -> Bundle:
    """Read a bundle that holds exactly one signature. Raises InvalidInput for anything else."""
    document = parse_object(data, bytes_max=bytes_max, what="Sigstore bundle")
    _fields(document, {"mediaType", _MATERIAL}, {"dsseEnvelope", "messageSignature"}, "bundle")
    if document["mediaType"] != BUNDLE_TYPE:
        raise InvalidInput(f"must be {BUNDLE_TYPE}", field="mediaType")
    if ("dsseEnvelope" in document) == ("messageSignature" in document):
        raise InvalidInput("must have either dsseEnvelope or messageSignature", field="bundle")
    envelope, signature, digest = None, b"", b""
    if "dsseEnvelope" in document:
        envelope = dsse.from_object(document["dsseEnvelope"])
        if len(envelope.signatures) != 1:
            raise InvalidInput("must be exactly one", field="dsseEnvelope.signatures")
    else:
        signature, digest = _message_signature(document["messageSignature"])
    material = document[_MATERIAL]
    method, chain = _material(material)
    timestamps = _timestamps(material.get("timestampVerificationData"))
    if timestamps and method is Method.KEY:
        raise InvalidInput(
            "must be absent for a key: nothing here verifies it",
            field=f"{_MATERIAL}.timestampVerificationData",
        )
    return Bundle(method, envelope, signature, digest, chain, timestamps, data)


def _material(material: Any) -> tuple[Method, tuple[bytes, ...]]:
    kinds = {"publicKey", "x509CertificateChain", "certificate"}
    _fields(material, set(), {*kinds, "tlogEntries", "timestampVerificationData"}, _MATERIAL)
    found = kinds & set(material)
    if len(found) != 1:
        raise InvalidInput("must have exactly one kind of key material", field=_MATERIAL)
    kind = found.pop()
    entries = material.get("tlogEntries", [])
    if not isinstance(entries, list):
        raise InvalidInput("must be a list", field=f"{_MATERIAL}.tlogEntries")
    if kind == "certificate" and entries:
        _check_entries(entries)
        return Method.KEYLESS, (_certificate(material[kind], f"{_MATERIAL}.certificate"),)
    if entries:
        raise InvalidInput(
            "must be empty: nothing here verifies them", field=f"{_MATERIAL}.tlogEntries"
        )
    if kind == "publicKey":
        _check_hint(material[kind])
        return Method.KEY, ()
    return Method.CERTIFICATE, _chain(kind, material[kind])


def _check_hint(value: Any) -> None:
    """The key's name is not believed, so it only has to be one."""
    field = f"{_MATERIAL}.publicKey"
    _fields(value, {"hint"}, set(), field)
    if not isinstance(value["hint"], str):
        raise InvalidInput("must be a string", field=f"{field}.hint")


def _chain(kind: str, value: Any) -> tuple[bytes, ...]:
    field = f"{_MATERIAL}.{kind}"
    if kind == "certificate":
        return (_certificate(value, field),)
    _fields(value, {"certificates"}, set(), field)
    certificates = value["certificates"]
    if not isinstance(certificates, list) or not certificates:
        raise InvalidInput("must be a non-empty list", field=field)
    if len(certificates) > CHAIN_MAX:
        raise LimitExceeded(f"more than {CHAIN_MAX}", field=field)
    return tuple(_certificate(item, field) for item in certificates)


def _certificate(value: Any, field: str) -> bytes:
    _fields(value, {"rawBytes"}, set(), field)
    return _bytes(value["rawBytes"], f"{field}.rawBytes", CERTIFICATE_BYTES_MAX)


def _check_entries(entries: list[Any]) -> None:
    field = f"{_MATERIAL}.tlogEntries"
    if len(entries) != 1:
        raise InvalidInput("must be exactly one", field=field)
    needed = {"inclusionProof", "canonicalizedBody", "logId", "kindVersion"}
    _fields(entries[0], needed, _ENTRY_FIELDS, field)


def _timestamps(value: Any) -> tuple[bytes, ...]:
    if value is None:
        return ()
    field = f"{_MATERIAL}.timestampVerificationData"
    _fields(value, set(), {"rfc3161Timestamps"}, field)
    stamps = value.get("rfc3161Timestamps", [])
    if not isinstance(stamps, list) or len(stamps) > TIMESTAMPS_MAX:
        raise InvalidInput(f"must be a list of at most {TIMESTAMPS_MAX}", field=field)
    for stamp in stamps:
        _fields(stamp, {"signedTimestamp"}, set(), field)
    return tuple(_bytes(stamp["signedTimestamp"], field, TIMESTAMP_BYTES_MAX) for stamp in stamps)


def _message_signature(value: Any) -> tuple[bytes, bytes]:
    field = "messageSignature"
    _fields(value, {"signature"}, {"messageDigest"}, field)
    signature = _bytes(value["signature"], f"{field}.signature", limits.KIB)
    if "messageDigest" not in value:
        return signature, b""
    stated = value["messageDigest"]
    _fields(stated, {"algorithm", "digest"}, set(), f"{field}.messageDigest")
    if stated["algorithm"] != "SHA2_256":
        raise InvalidInput("must be SHA2_256", field=f"{field}.messageDigest.algorithm")
    digest = _bytes(stated["digest"], f"{field}.messageDigest.digest", 64)
    if len(digest) != 32:
        raise InvalidInput("must have 32 bytes", field=f"{field}.messageDigest.digest")
    return signature, digest


def _fields(value: Any, needed: set[str], allowed: set[str], field: str) -> None:
    if not isinstance(value, dict):
        raise InvalidInput("must be an object", field=field)
    if missing := sorted(needed - set(value)):
        raise InvalidInput(f"must have {missing[0]}", field=field)
    if unknown := sorted(set(value) - needed - allowed):
        raise InvalidInput(f"has unknown field {unknown[0][:80]}", field=field)


def _bytes(value: Any, field: str, most: int) -> bytes:
    decoded = dsse.decode_base64(value, field)
    if not 0 < len(decoded) <= most:
        raise LimitExceeded(f"must have 1 to {most} bytes", field=field)
    return decoded
