"""A signature of an image admits that image and no other, and any change of it admits none."""

import base64
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.api.v1alpha1 import ClusterSafetyPolicy
from quorate.api.v1alpha1.meta import read
from quorate.errors import QuorateError
from quorate.evidence import dsse
from quorate.evidence.image_signing import embedded, sign_image, tagged
from quorate.evidence.oci import Descriptor
from quorate.evidence.signatures import Context, parse_bundle
from quorate.policy.compiled import compile_policy
from quorate.policy.fetched import FetchedSignatures
from quorate.policy.server_images import judge_servers
from tests.fakes.vouching import NOW, policy, signer, signers

KEY = signer()
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:{}".format)
IMAGE, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
NAMED = [{"name": "a", "digest": IMAGE}, {"name": "b", "digest": OTHER}]
POLICY = compile_policy(
    read(
        ClusterSafetyPolicy,
        policy({"model": {"servers": NAMED, "serverSigners": signers(KEY)}}),
    )
)
BUNDLE = sign_image(IMAGE, KEY)


PAYLOAD = json.dumps(
    {
        "critical": {
            "identity": {"docker-reference": "registry.example.com/server"},
            "image": {"docker-manifest-digest": IMAGE},
            "type": "cosign container image signature",
        },
        "optional": None,
    }
).encode()
NOTES = (("dev.cosignproject.cosign/signature", base64.b64encode(KEY.sign(PAYLOAD)).decode()),)
PAYLOAD_DIGEST = f"sha256:{hashlib.sha256(PAYLOAD).hexdigest()}"
LAYER = embedded(
    Descriptor(tagged.SIMPLE_SIGNING_TYPE, PAYLOAD_DIGEST, len(PAYLOAD), annotations=NOTES), PAYLOAD
)


def admitted(*bundles: str) -> set[str]:
    """Images found signed if these bundles lie beside both of them."""
    fetched = FetchedSignatures(((IMAGE, bundles), (OTHER, bundles)))
    images = judge_servers(replace(POLICY, fetched=fetched), Context(NOW))
    return {image.digest for image in images.signed}


def signed_parts(bundle: bytes) -> Any:
    """What the signature is over, and the signature; None for what is no bundle."""
    try:
        envelope = parse_bundle(bundle).envelope
    except QuorateError:
        return None
    if envelope is None:
        return None
    return dsse.pae(envelope.payload_type, envelope.payload), envelope.signatures[0].sig


@pytest.mark.requirement("evidence for image X never admits image Y")
@given(DIGESTS)
def test_a_signature_is_for_one_image(digest: str) -> None:
    """Whatever image a good signature is about, it is found only at that image."""
    assert admitted(sign_image(digest, KEY).decode()) == {digest} & {IMAGE, OTHER}


@pytest.mark.requirement("any byte of valid evidence changed: denied")
@settings(max_examples=300)
@given(st.integers(0, len(BUNDLE) - 1), st.integers(0, 255))
def test_any_changed_byte_denies(position: int, byte: int) -> None:
    """Unless what was signed, and the signature, are the very same."""
    changed = BUNDLE[:position] + bytes([byte]) + BUNDLE[position + 1 :]
    text = changed.decode("utf-8", "surrogateescape")
    if signed_parts(changed) == signed_parts(BUNDLE):
        return
    assert admitted(text) == set()


@pytest.mark.requirement("any byte of valid evidence changed: denied")
@settings(max_examples=300)
@given(st.integers(0, len(LAYER) - 1), st.integers(0, 255))
def test_any_changed_byte_of_a_layer_denies(position: int, byte: int) -> None:
    """A signature under a tag: every byte of its descriptor and its content matters."""
    changed = LAYER[:position] + bytes([byte]) + LAYER[position + 1 :]
    assert admitted(LAYER.decode()) == {IMAGE}
    if changed != LAYER:
        assert admitted(changed.decode("utf-8", "surrogateescape")) == set()


@given(st.sampled_from(["mediaType", "digest", "size", "annotations", "data"]), st.data())
def test_any_changed_field_of_a_layer_denies(field: str, data: st.DataObject) -> None:
    """Fields of the descriptor left out or replaced by others of their kind."""
    document = json.loads(LAYER)
    values = st.none() | st.text(max_size=80) | st.integers() | st.just({"a": "b"})
    document[field] = data.draw(values)
    assert admitted(json.dumps(document)) == set()
    del document[field]
    assert admitted(json.dumps(document)) == set()


@given(st.sampled_from(["payload", "payloadType", "signatures"]), st.data())
def test_any_changed_field_denies(field: str, data: st.DataObject) -> None:
    """Fields of the envelope replaced by others of their kind."""
    document = json.loads(BUNDLE)
    envelope = document["dsseEnvelope"]
    if field == "payload":
        statement = json.loads(base64.b64decode(envelope["payload"]))
        part = data.draw(st.sampled_from(sorted(statement)))
        statement[part] = data.draw(st.none() | st.text(max_size=8) | st.just([]))
        envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    elif field == "payloadType":
        envelope["payloadType"] = data.draw(st.text(max_size=40))
    else:
        sig = data.draw(st.binary(max_size=80))
        envelope["signatures"] = [{"sig": base64.b64encode(sig).decode(), "keyid": ""}]
    assert admitted(json.dumps(document)) == set()


@given(st.lists(st.text(max_size=200) | st.just("{}"), max_size=40))
def test_junk_beside_an_image_is_no_signature(junk: list[str]) -> None:
    """Never an error, never a yes; it takes a good one's place only when it is too much."""
    assert admitted(*junk) == set()
    if len(set(junk)) < 16:
        assert admitted(*junk, BUNDLE.decode()) == {IMAGE}
