"""Making a bundle, by key or by key and certificate, as the reference libraries read it."""

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from quorate import names
from quorate.errors import InvalidInput
from quorate.evidence import dsse
from quorate.evidence.signatures.bundle import BUNDLE_TYPE
from quorate.keys import accept
from quorate.ports import Signer


def sign_bundle(
    payload: bytes, signer: Signer, certificates: Sequence[x509.Certificate] = ()
) -> bytes:
    """The bundle around an envelope with ``payload``, an in-toto statement.

    With ``certificates`` (the signer's own first, then intermediates, no root) the method is
    certificate, else key. Raises InvalidInput if the first is not for the signer's key.
    """
    signature = signer.sign(dsse.pae(names.INTOTO_TYPE, payload))
    bundle = {
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": {**_material(signer, certificates), "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode("ascii"),
            "payloadType": names.INTOTO_TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode("ascii"), "keyid": ""}],
        },
    }
    return json.dumps(bundle, separators=(",", ":")).encode("ascii")


def _material(signer: Signer, certificates: Sequence[x509.Certificate]) -> dict[str, Any]:
    if not certificates:
        # The hint that the reference library writes and insists on.
        hint = hashlib.sha256(signer.public_key.pem.encode("ascii")).hexdigest()
        return {"publicKey": {"hint": hint}}
    if accept(certificates[0].public_key()) != signer.public_key:
        raise InvalidInput("is not for the key that signs", field="certificate")
    chain = [
        {"rawBytes": base64.b64encode(item.public_bytes(serialization.Encoding.DER)).decode()}
        for item in certificates
    ]
    return {"x509CertificateChain": {"certificates": chain}}
