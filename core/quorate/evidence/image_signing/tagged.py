"""Signatures in cosign's older layout: layers of an image under the tag ``sha256-….sig``.

The layer is a simple signing document; annotations of its descriptor hold the signature and, if one
was used, the certificate. Both travel as one document: the descriptor with its content inside, in
the field ``data`` that the image specification has for it. A key or a certificate signs the
document's bytes. What only a log or a timestamp would prove is refused: nothing here verifies it.

Source: cosign's SIGNATURE_SPEC, and https://github.com/opencontainers/image-spec/blob/v1.1.0/descriptor.md
"""

import base64
import hashlib
from typing import Annotated, Any, Final

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from quorate import limits
from quorate.canonical import canonical, parse_object
from quorate.errors import InvalidInput, QuorateError, SignatureError
from quorate.evidence import dsse
from quorate.evidence.image_signing.detached import Detached
from quorate.evidence.oci import Descriptor, parse_artifact
from quorate.evidence.signatures.bundle import CHAIN_MAX
from quorate.evidence.signatures.certificate import load_certificates
from quorate.statements import DigestText, convert

SIMPLE_SIGNING_TYPE: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
_SIGNATURE: Final = "dev.cosignproject.cosign/signature"
_CERTIFICATE: Final = "dev.sigstore.cosign/certificate"
_CHAIN: Final = "dev.sigstore.cosign/chain"
_LOG_ENTRY: Final = "dev.sigstore.cosign/bundle"
_TIMESTAMP: Final = "dev.sigstore.cosign/rfc3161timestamp"
_KNOWN: Final = {_SIGNATURE, _CERTIFICATE, _CHAIN}
_AGAIN: Final = "sign again with cosign 3, which writes a bundle"


class _Layer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    media_type: str
    digest: DigestText
    size: Annotated[int, msgspec.Meta(ge=1, le=64 * limits.KIB)]
    annotations: dict[str, str]
    data: str


def signature_layers(manifest: bytes) -> tuple[Descriptor, ...]:
    """The signatures in the manifest that the tag names. Raises InvalidInput."""
    layers = parse_artifact(manifest).layers
    return tuple(layer for layer in layers if layer.media_type == SIMPLE_SIGNING_TYPE)


def embedded(layer: Descriptor, content: bytes) -> bytes:
    """One document of a layer's descriptor and its content, in canonical form."""
    return canonical(
        {
            "mediaType": layer.media_type,
            "digest": layer.digest,
            "size": layer.size,
            "annotations": dict(layer.annotations),
            "data": base64.b64encode(content).decode("ascii"),
        }
    )


def is_embedded(data: bytes) -> bool:
    """Whether a document says that it is such a layer. It may still be malformed."""
    try:
        return parse_object(data, what="signature").get("mediaType") == SIMPLE_SIGNING_TYPE
    except QuorateError:
        return False


def parse_embedded(data: bytes) -> Detached:
    """Read a layer with its content. Raises InvalidInput, or SignatureError for what is refused."""
    document = parse_object(data, what="signature layer")
    layer = convert(document, _Layer, "signature layer")
    payload = dsse.decode_base64(layer.data, "data")
    found = f"sha256:{hashlib.sha256(payload).hexdigest()}"
    if (layer.media_type, found, len(payload)) != (SIMPLE_SIGNING_TYPE, layer.digest, layer.size):
        raise InvalidInput("is not the content that the descriptor names", field="data")
    _refuse(layer.annotations)
    signature = dsse.decode_base64(layer.annotations.get(_SIGNATURE), _SIGNATURE)
    return Detached(payload, signature, _chain(layer.annotations))


def _refuse(annotations: dict[str, Any]) -> None:
    if _LOG_ENTRY in annotations and _CERTIFICATE in annotations:
        raise SignatureError(
            "a keyless signature under a tag has no proof that its entry is in the log",
            field=_LOG_ENTRY,
            fix=_AGAIN,
        )
    if _LOG_ENTRY in annotations:
        raise SignatureError(
            "nothing here verifies the log entry of a signature by key",
            field=_LOG_ENTRY,
            fix="sign again with --tlog-upload=false",
        )
    if _TIMESTAMP in annotations:
        raise SignatureError(
            "nothing here verifies a timestamp under a tag", field=_TIMESTAMP, fix=_AGAIN
        )
    if unknown := sorted(set(annotations) - _KNOWN):
        raise InvalidInput(f"has unknown annotation {unknown[0][:80]}", field="annotations")


def _chain(annotations: dict[str, str]) -> tuple[bytes, ...]:
    """The certificate and those that lead to its authority (DER); none for a key."""
    leaf, others = annotations.get(_CERTIFICATE, ""), annotations.get(_CHAIN, "")
    if not leaf:
        if others:
            raise InvalidInput("must come with a certificate", field=_CHAIN)
        return ()
    found = load_certificates(leaf, 1)
    if others:
        found += load_certificates(others, CHAIN_MAX - 1)
    return tuple(one.public_bytes(Encoding.DER) for one in found)
