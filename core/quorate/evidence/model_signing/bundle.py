"""The Sigstore bundle (v0.3) around the envelope, as OMS writes it for the method ``key``."""

from typing import Any, Final

from quorate.canonical import parse_object
from quorate.errors import InvalidInput
from quorate.evidence import dsse

BUNDLE_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"


def parse_bundle(data: bytes) -> dsse.Envelope:
    """Read a bundle and return its envelope, which holds exactly one signature.

    Raises InvalidInput for anything but the exact form, also for bundles signed with a certificate:
    those need a chain and a time that this format does not verify. The key's hint is not believed.
    """
    bundle = parse_object(data, what="OMS bundle")
    _require(bundle, {"mediaType", "verificationMaterial", "dsseEnvelope"}, set(), "bundle")
    if bundle["mediaType"] != BUNDLE_TYPE:
        raise InvalidInput(f"must be {BUNDLE_TYPE}", field="mediaType")
    _check_material(bundle["verificationMaterial"])
    envelope = dsse.from_object(bundle["dsseEnvelope"])
    if len(envelope.signatures) != 1:
        raise InvalidInput("must be exactly one", field="dsseEnvelope.signatures")
    return envelope


def _check_material(material: Any) -> None:
    field = "verificationMaterial"
    _require(material, {"publicKey"}, {"tlogEntries"}, field)
    if material.get("tlogEntries", []) != []:
        raise InvalidInput(
            "must be empty: nothing here verifies them", field=f"{field}.tlogEntries"
        )
    _require(material["publicKey"], {"hint"}, set(), f"{field}.publicKey")
    if not isinstance(material["publicKey"]["hint"], str):
        raise InvalidInput("must be a string", field=f"{field}.publicKey.hint")


def _require(value: Any, needed: set[str], allowed: set[str], field: str) -> None:
    if not isinstance(value, dict):
        raise InvalidInput("must be an object", field=field)
    if missing := sorted(needed - set(value)):
        raise InvalidInput(
            f"must have {missing[0]}", field=field, fix="sign again with the method key"
        )
    if unknown := sorted(set(value) - needed - allowed):
        raise InvalidInput(f"has unknown field {unknown[0][:80]}", field=field)
