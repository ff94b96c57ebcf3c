"""Making a signature of an image: the bundle that cosign writes, by key or certificate."""

from collections.abc import Sequence

from cryptography import x509

from quorate.canonical import canonical
from quorate.evidence.image_signing.payload import COSIGN_SIGN_TYPE
from quorate.evidence.signatures.signing import sign_bundle
from quorate.manifest import check_digest
from quorate.ports import Signer


def sign_image(
    digest: str, signer: Signer, certificates: Sequence[x509.Certificate] = (), name: str = ""
) -> bytes:
    """The bundle that says ``digest`` is signed. ``name`` is for people; nobody believes it.

    Raises InvalidInput for what is no digest, and as sign_bundle does.
    """
    check_digest(digest, "image digest")
    subject = {"digest": {"sha256": digest.removeprefix("sha256:")}}
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, **subject} if name else subject],
        "predicateType": COSIGN_SIGN_TYPE,
        "predicate": {},
    }
    return sign_bundle(canonical(statement), signer, certificates)
