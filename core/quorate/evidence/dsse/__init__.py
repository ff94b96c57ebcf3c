"""DSSE, the envelope that carries every signed statement (protocol v1.0.2).

:func:`verify` counts distinct key material; a ``keyid`` is a hint about which key to try first and
is neither trusted nor required.
"""

from quorate.evidence.dsse.envelope import (
    Envelope,
    Signature,
    decode_base64,
    from_object,
    pae,
    parse,
)
from quorate.evidence.dsse.signing import sign
from quorate.evidence.dsse.verification import (
    KEYS_MAX,
    Verified,
    check_type,
    signatures_by,
    verify,
)

__all__ = [
    "KEYS_MAX",
    "Envelope",
    "Signature",
    "Verified",
    "check_type",
    "decode_base64",
    "from_object",
    "pae",
    "parse",
    "sign",
    "signatures_by",
    "verify",
]
