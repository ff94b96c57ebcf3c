"""Making an OMS bundle, by key or by key and certificate."""

from collections.abc import Sequence

from cryptography import x509

from quorate.evidence.model_signing.predicate import statement_of
from quorate.evidence.signatures.signing import sign_bundle
from quorate.manifest import Manifest
from quorate.ports import Signer


def sign_model(
    files: Manifest, name: str, signer: Signer, certificates: Sequence[x509.Certificate] = ()
) -> bytes:
    """The bundle over ``files`` for a model called ``name``. Raises as sign_bundle does."""
    return sign_bundle(statement_of(files, name).encode(), signer, certificates)
