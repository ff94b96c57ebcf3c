"""The envelope's JSON form, and the bytes that are signed."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from quorate import limits
from quorate.canonical import parse_object
from quorate.errors import InvalidInput, LimitExceeded

_FIELDS = {"payloadType", "payload", "signatures"}


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed. Lengths are in bytes of UTF-8."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature, and the name its maker gave the key (may be empty, may be a lie)."""

    sig: bytes
    keyid: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A parsed envelope. Nothing in it is to be believed before it is verified."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    def encode(self) -> bytes:
        """The JSON form that :func:`parse` reads."""
        signatures = [
            {"keyid": item.keyid, "sig": base64.b64encode(item.sig).decode("ascii")}
            for item in self.signatures
        ]
        value = {
            "payloadType": self.payload_type,
            "payload": base64.b64encode(self.payload).decode("ascii"),
            "signatures": signatures,
        }
        return json.dumps(value, separators=(",", ":")).encode("ascii")


def parse(data: bytes, *, bytes_max: int = limits.EVIDENCE_BYTES) -> Envelope:
    """Read the JSON form. Raises InvalidInput for anything but an exact envelope."""
    return from_object(parse_object(data, bytes_max=bytes_max, what="DSSE envelope"))


def from_object(value: Any) -> Envelope:
    """Read an envelope that is a part of a document already parsed, such as a bundle."""
    if not isinstance(value, dict):
        raise InvalidInput("DSSE envelope must be an object")
    if set(value) != _FIELDS:
        odd = sorted(set(value) ^ _FIELDS)
        raise InvalidInput("must have payloadType, payload and signatures", field=odd[0][:80])
    payload_type, signatures = value["payloadType"], value["signatures"]
    if not isinstance(payload_type, str) or not payload_type:
        raise InvalidInput("must be a non-empty string", field="payloadType")
    if not isinstance(signatures, list) or not signatures:
        raise InvalidInput("must be a non-empty list", field="signatures")
    if len(signatures) > limits.SIGNATURES:
        raise LimitExceeded(f"more than {limits.SIGNATURES}", field="signatures")
    payload = decode_base64(value["payload"], "payload")
    return Envelope(payload_type, payload, tuple(_signature(item) for item in signatures))


def decode_base64(value: Any, field: str) -> bytes:
    """Decode standard base64 in its one canonical spelling, or raise InvalidInput."""
    if not isinstance(value, str):
        raise InvalidInput("must be a string", field=field)
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("must be standard base64 with padding", field=field) from None
    # Decoders differ on unused trailing bits, so only the one true spelling counts.
    if base64.b64encode(decoded) != value.encode("ascii"):
        raise InvalidInput("must be canonical base64", field=field)
    return decoded


def _signature(value: Any) -> Signature:
    if not isinstance(value, dict) or not {"sig"} <= set(value) <= {"sig", "keyid"}:
        raise InvalidInput("must have sig and may have keyid", field="signatures[]")
    keyid = value.get("keyid", "")
    if not isinstance(keyid, str):
        raise InvalidInput("must be a string", field="signatures[].keyid")
    return Signature(decode_base64(value["sig"], "signatures[].sig"), keyid)
