"""Signatures of server images, in the forms cosign writes, by the same rules as a model's.

Bytes in: where they come from (a registry's referrers or tags) is somebody else's step.
"""

from quorate.evidence.image_signing.payload import (
    COSIGN_SIGN_TYPE,
    simple_signing_digest,
    statement_digest,
)
from quorate.evidence.image_signing.signing import sign_image
from quorate.evidence.image_signing.tagged import embedded, signature_layers
from quorate.evidence.image_signing.verification import (
    ImageSignature,
    SignedImage,
    verify_image,
)

__all__ = [
    "COSIGN_SIGN_TYPE",
    "ImageSignature",
    "SignedImage",
    "embedded",
    "sign_image",
    "signature_layers",
    "simple_signing_digest",
    "statement_digest",
    "verify_image",
]
