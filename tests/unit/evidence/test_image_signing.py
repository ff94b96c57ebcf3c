"""Signatures of server images: the forms cosign writes, by the rules of models."""

import base64
import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from quorate import limits, names
from quorate.errors import InvalidInput, SignatureError
from quorate.evidence import dsse
from quorate.evidence.image_signing import (
    COSIGN_SIGN_TYPE,
    ImageSignature,
    SignedImage,
    embedded,
    tagged,
    verify_image,
)
from quorate.evidence.oci import Descriptor
from quorate.evidence.signatures import (
    BUNDLE_TYPE,
    CertificateSigner,
    Context,
    KeylessSigner,
    SignerSet,
)
from quorate.keys import LocalSigner
from quorate_sigstore import OfflineSigstore
from tests.fakes.authorities import Authority, der, pem
from tests.fakes.sigstore_instance import IDENTITY, ISSUER, Instance
from tests.fakes.vouching import NOW, signer

IMAGE, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
KEY, INSTANCE, ROOT = signer(), Instance(), Authority("Root")
SIGNATURE = "dev.cosignproject.cosign/signature"
CERTIFICATE, CHAIN = "dev.sigstore.cosign/certificate", "dev.sigstore.cosign/chain"
SAN = x509.RFC822Name("builder@example.com")
SIGNERS = SignerSet(
    keys=(KEY.public_key,),
    certificates=(CertificateSigner("b", (ROOT.certificate,), subject_alternative_name=SAN.value),),
    keyless=(KeylessSigner("ci", IDENTITY, ISSUER),),
    trusted_root=INSTANCE.trusted_root,
)
CONTEXT = Context(NOW, OfflineSigstore())


def simple(digest: str = IMAGE, **critical: Any) -> bytes:
    """A simple signing document, as cosign writes it."""
    return json.dumps(
        {
            "critical": {
                "identity": {"docker-reference": "registry.example.com/server"},
                "image": {"docker-manifest-digest": digest},
                "type": "cosign container image signature",
            }
            | critical,
            "optional": None,
        }
    ).encode()


def statement(digest: str = IMAGE, kind: str = COSIGN_SIGN_TYPE) -> bytes:
    """The statement of a bundle, as cosign writes it."""
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": {"sha256": digest[7:]}, "annotations": {}}],
            "predicateType": kind,
            "predicate": {},
        }
    ).encode()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def enveloped(payload: bytes, key: LocalSigner, material: dict[str, Any]) -> ImageSignature:
    signature = key.sign(dsse.pae(names.INTOTO_TYPE, payload))
    bundle = {
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": material,
        "dsseEnvelope": {
            "payload": b64(payload),
            "payloadType": names.INTOTO_TYPE,
            "signatures": [{"sig": b64(signature)}],
        },
    }
    return ImageSignature(bundle=json.dumps(bundle).encode())


def by_key(payload: bytes, key: LocalSigner = KEY) -> ImageSignature:
    return enveloped(payload, key, {"publicKey": {"hint": ""}})


def by_certificate(payload: bytes) -> ImageSignature:
    key, certificate = ROOT.signer(SAN)
    return enveloped(payload, key, {"certificate": {"rawBytes": b64(der(certificate))}})


def keyless(payload: bytes) -> ImageSignature:
    return ImageSignature(bundle=json.dumps(INSTANCE.sign(payload)).encode())


def keyless_simple(payload: bytes) -> ImageSignature:
    bundle = json.dumps(INSTANCE.sign_message(payload)).encode()
    return ImageSignature(bundle=bundle, payload=payload)


def simple_by_key(payload: bytes, key: LocalSigner = KEY) -> ImageSignature:
    return ImageSignature(payload=payload, signature=key.sign(payload))


def layer(payload: bytes, annotations: dict[str, str], **changes: Any) -> ImageSignature:
    """A layer of cosign's older layout, as the operator hands it on."""
    named = f"sha256:{hashlib.sha256(payload).hexdigest()}"
    notes = tuple(annotations.items())
    described = Descriptor(tagged.SIMPLE_SIGNING_TYPE, named, len(payload), annotations=notes)
    document = json.loads(embedded(described, payload)) | changes
    return ImageSignature(bundle=json.dumps(document).encode())


def layer_by_key(
    payload: bytes, key: LocalSigner = KEY, more: dict[str, str] | None = None
) -> ImageSignature:
    return layer(payload, {SIGNATURE: b64(key.sign(payload))} | (more or {}))


def certified(payload: bytes) -> dict[str, str]:
    """Annotations of a signature with a certificate and an intermediate."""
    middle = Authority("Intermediate", parent=ROOT)
    key, leaf = middle.signer(SAN)
    chain = pem(middle.certificate, ROOT.certificate)
    return {SIGNATURE: b64(key.sign(payload)), CERTIFICATE: pem(leaf), CHAIN: chain}


def layer_by_certificate(payload: bytes, **more: str) -> ImageSignature:
    return layer(payload, certified(payload) | more)


FORMS = {
    "statement by key": lambda digest: by_key(statement(digest)),
    "statement by certificate": lambda digest: by_certificate(statement(digest)),
    "statement keyless": lambda digest: keyless(statement(digest)),
    "layer by key": lambda digest: layer_by_key(simple(digest)),
    "layer by certificate": lambda digest: layer_by_certificate(simple(digest)),
    "simple by key": lambda digest: simple_by_key(simple(digest)),
    "simple keyless": lambda digest: keyless_simple(simple(digest)),
}


def judged(*found: ImageSignature, threshold: int = 1) -> SignedImage:
    return verify_image(found, IMAGE, SIGNERS.needing(threshold), CONTEXT)


@pytest.mark.requirement("server images: cosign signatures by the same rules as models")
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_every_form_counts_for_its_image_only(form: Any) -> None:
    """A signature is about one digest: another image's never counts."""
    assert len(judged(form(IMAGE)).signatures) == 1
    with pytest.raises(SignatureError, match=f"about the image {OTHER}"):
        judged(form(OTHER))


def test_forms_and_methods_add_up() -> None:
    """Three signers in three forms meet a threshold of three; one of them twice does not."""
    found = [by_key(statement()), by_certificate(statement()), keyless_simple(simple())]
    assert judged(*found, threshold=3).problems == ()
    with pytest.raises(SignatureError, match="1 accepted signers"):
        judged(by_key(statement()), simple_by_key(simple()), threshold=2)


def test_what_does_not_count_is_named() -> None:
    """A met threshold stands beside a signature that fails."""
    found = judged(by_key(statement(), signer()), by_key(statement()))
    assert len(found.problems) == 1
    assert "signatures[0]" in found.problems[0]


REFUSED = {
    "a stranger's": by_key(statement(), signer()),
    "a stranger's simple": simple_by_key(simple(), signer()),
    "another statement": by_key(statement(kind="https://slsa.dev/provenance/v1")),
    "two subjects": by_key(
        statement().replace(
            b'"subject": [', b'"subject": [{"name":"x","digest":{"sha256":"' + b"c" * 64 + b'"}}, '
        )
    ),
    "two digests": by_key(
        statement().replace(b'"digest": {', b'"digest": {"sha512": "' + b"c" * 128 + b'", ')
    ),
    "another field": by_key(statement().replace(b'"predicate":', b'"more": 1, "predicate":')),
    "unknown critical field": simple_by_key(simple(extra=1)),
    "unknown type": simple_by_key(simple(type="another signature")),
    "tag, not digest": simple_by_key(simple(image={"docker-manifest-digest": "latest"})),
    "other payload": ImageSignature(payload=simple(), signature=KEY.sign(simple(OTHER))),
    "other payload, keyless": ImageSignature(
        bundle=keyless_simple(simple(OTHER)).bundle, payload=simple()
    ),
    "envelope for a payload": ImageSignature(bundle=by_key(statement()).bundle, payload=simple()),
    "payload left out": ImageSignature(bundle=keyless_simple(simple()).bundle),
    "a stranger's layer": layer_by_key(simple(), signer()),
    "layer without signature": layer(simple(), {}),
    "layer with an empty signature": layer(simple(), {SIGNATURE: ""}),
    "layer of another payload": layer(simple(), {SIGNATURE: b64(KEY.sign(simple(OTHER)))}),
    "layer by key with a stranger's certificate": layer_by_key(
        simple(), more={CERTIFICATE: pem(Authority("Other").certificate)}
    ),
    "layer with a chain to nowhere": layer(simple(), certified(simple()) | {CHAIN: ""}),
    "layer by key with a chain": layer_by_key(simple(), more={CHAIN: pem(ROOT.certificate)}),
    "layer with an unknown annotation": layer_by_key(simple(), more={"dev.sigstore.cosign/x": ""}),
    "layer of other content": layer(simple(), {SIGNATURE: "eA=="}, data=b64(simple(OTHER))),
    "layer of another size": layer(simple(), {SIGNATURE: b64(KEY.sign(simple()))}, size=1),
    "layer with another field": layer(simple(), {SIGNATURE: b64(KEY.sign(simple()))}, more=1),
    "layer that is too large": layer_by_key(simple() + b" " * 65_536),
    "layer with a payload": replace(layer_by_key(simple()), payload=simple()),
    "both": ImageSignature(by_key(statement()).bundle, simple(), b"x"),
    "nothing": ImageSignature(),
    "no signature": ImageSignature(payload=simple()),
    "junk": ImageSignature(bundle=b"{"),
}


@pytest.mark.requirement("class 10: right signature, wrong type or subject: never counts")
@pytest.mark.parametrize("found", REFUSED.values(), ids=REFUSED.keys())
def test_everything_else_is_refused(found: ImageSignature) -> None:
    """Another type of statement, an unknown critical field, a mix of parts: no signature."""
    with pytest.raises(SignatureError, match="0 accepted signers"):
        judged(found)


UNPROVEN = {
    "keyless": (
        layer_by_certificate(simple(), **{"dev.sigstore.cosign/bundle": "{}"}),
        "a keyless signature under a tag has no proof that its entry is in the log",
    ),
    "key with a log entry": (
        layer_by_key(simple(), more={"dev.sigstore.cosign/bundle": "{}"}),
        "nothing here verifies the log entry of a signature by key",
    ),
    "timestamp": (
        layer_by_certificate(simple(), **{"dev.sigstore.cosign/rfc3161timestamp": "{}"}),
        "nothing here verifies a timestamp under a tag",
    ),
}


@pytest.mark.parametrize(("found", "why"), UNPROVEN.values(), ids=UNPROVEN.keys())
def test_what_nothing_verifies_is_refused_and_named(found: ImageSignature, why: str) -> None:
    """The older layout's log entries and timestamps: the reason is for the one who signed."""
    with pytest.raises(SignatureError, match=why):
        judged(found)


def test_a_layers_signature_lasts_as_its_certificate() -> None:
    """Without a witness of when it was made, it counts while the certificate is valid."""
    (one,) = judged(layer_by_certificate(simple())).signatures
    assert one.not_after is not None
    late = Context(one.not_after + timedelta(seconds=1))
    with pytest.raises(SignatureError, match="0 accepted signers"):
        verify_image([layer_by_certificate(simple())], IMAGE, SIGNERS, late)


def test_the_digest_must_be_one() -> None:
    """A tag is no image, and no signature is not enough."""
    with pytest.raises(InvalidInput):
        verify_image([by_key(statement())], "latest", SIGNERS, CONTEXT)
    with pytest.raises(SignatureError, match="0 accepted signers"):
        judged()
    with pytest.raises(InvalidInput, match="at most"):
        judged(*[by_key(statement())] * (limits.SIGNATURES + 1))
