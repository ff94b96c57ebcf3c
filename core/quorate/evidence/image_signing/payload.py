"""What is signed: a "simple signing" document, or an in-toto statement. Both name one digest.

Sources: containers/image's signature format and cosign's SIGNATURE_SPEC. The repository that a
simple signing document names is not believed: it is the signer's word, and the digest decides.
"""

from typing import Annotated, Any, Final, Literal

import msgspec

from quorate import limits
from quorate.canonical import parse_object
from quorate.errors import InvalidInput
from quorate.evidence.intoto.statement import parse_statement
from quorate.statements import DigestText, convert

COSIGN_SIGN_TYPE: Final = "https://sigstore.dev/cosign/sign/v1"
"""Predicate type of a statement that an image is signed, and says nothing else."""
_Text = Annotated[str, msgspec.Meta(max_length=1024)]


class _Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    docker_reference: _Text


class _Image(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    docker_manifest_digest: DigestText


class _Critical(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whoever does not understand all of it must refuse: so the format says."""

    type: Literal["cosign container image signature", "https://sigstore.dev/cosign/sign/v1"]
    image: _Image
    identity: _Identity


class _SimpleSigning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    critical: _Critical
    optional: dict[str, Any] | None = None


def simple_signing_digest(payload: bytes) -> str:
    """The digest of the image that a simple signing document is about. Raises InvalidInput."""
    document = parse_object(payload, bytes_max=64 * limits.KIB, what="simple signing document")
    return convert(document, _SimpleSigning, "simple signing").critical.image.docker_manifest_digest


def statement_digest(payload: bytes) -> str:
    """The digest of the one image that a statement of :data:`COSIGN_SIGN_TYPE` is about.

    Raises SubjectMismatch for another type of statement, InvalidInput for anything malformed.
    """
    statement = parse_statement(payload, COSIGN_SIGN_TYPE)
    if len(statement.subject) != 1 or set(statement.subject[0].digest) != {"sha256"}:
        raise InvalidInput("must be exactly one, with a sha256 digest", field="subject")
    return f"sha256:{statement.subject[0].digest['sha256']}"
