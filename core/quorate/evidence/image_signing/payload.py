"""What is signed: a "simple signing" document, or an in-toto statement. Both name one digest.

Sources: containers/image's signature format, cosign's SIGNATURE_SPEC, and the statement that
`cosign sign` writes into bundles (its one subject has a digest and annotations, and no name). The
repository that a simple signing document names is not believed: it is the signer's word, and the
digest decides.
"""

from typing import Annotated, Any, Final, Literal

import msgspec

from quorate import limits
from quorate.canonical import parse_object
from quorate.errors import SubjectMismatch
from quorate.statements import DigestText, convert

COSIGN_SIGN_TYPE: Final = "https://sigstore.dev/cosign/sign/v1"
"""Predicate type of a statement that an image is signed, and says nothing else."""
_Text = Annotated[str, msgspec.Meta(max_length=1024)]
_Hex = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


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


class _Digest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: _Hex


class _Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """cosign names no artifact. A name and annotations are the signer's word and decide nothing."""

    digest: _Digest
    name: _Text = ""
    annotations: dict[str, Any] | None = None


class _Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    subject: Annotated[tuple[_Subject, ...], msgspec.Meta(min_length=1, max_length=1)]
    predicate_type: Annotated[str, msgspec.Meta(max_length=1024)]
    type_: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    predicate: dict[str, Any] | None = None


def statement_digest(payload: bytes) -> str:
    """The digest of the one image that a statement of :data:`COSIGN_SIGN_TYPE` is about.

    Raises SubjectMismatch for another type of statement, InvalidInput for anything malformed.
    """
    document = parse_object(payload, bytes_max=64 * limits.KIB, what="in-toto statement")
    kind = document.get("predicateType")
    if kind != COSIGN_SIGN_TYPE:
        raise SubjectMismatch(
            f"must be {COSIGN_SIGN_TYPE}, not {str(kind)[:80]}", field="predicateType"
        )
    statement = convert(document, _Statement, "in-toto statement")
    return f"sha256:{statement.subject[0].digest.sha256}"
