"""Bundles by certificate and keyless under mutation: a change is refused, or changes nothing."""

import base64
import json
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.errors import QuorateError
from quorate.evidence.model_signing import sign_model, statement_of, verify_bundle
from quorate.evidence.signatures import (
    CertificateSigner,
    Context,
    KeylessSigner,
    SignerSet,
    parse_bundle,
)
from quorate.evidence.signatures.certificate import read_leaf
from quorate_sigstore import OfflineSigstore
from tests.fakes.authorities import Authority
from tests.fakes.sigstore_instance import IDENTITY, ISSUER, Instance
from tests.fakes.vouching import NOW, model_files, signer

FILES = model_files()
ROOT, INSTANCE = Authority("Root"), Instance()
SAN = x509.RFC822Name("signer@example.com")
MIDDLE = Authority("Middle", ROOT)
SIGNER_KEY, LEAF = MIDDLE.signer(SAN)
OWNER = signer()
SIGNERS = SignerSet(
    keys=(OWNER.public_key,),
    certificates=(CertificateSigner("c", (ROOT.certificate,), SAN.value),),
    keyless=(KeylessSigner("ci", IDENTITY, ISSUER),),
    trusted_root=INSTANCE.trusted_root,
)
CONTEXT = Context(NOW, OfflineSigstore())
BUNDLES: dict[str, bytes] = {
    "key": sign_model(FILES, "demo", OWNER),
    "certificate": sign_model(FILES, "demo", SIGNER_KEY, [LEAF, MIDDLE.certificate]),
    "keyless": json.dumps(INSTANCE.sign(statement_of(FILES, "demo").encode())).encode(),
}
UNREAD = {
    # What no verifier believes or reads: the key's name, and a place in a log that the inclusion
    # proof repeats and proves.
    "key": ("hint", "keyid"),
    "certificate": ("keyid",),
    "keyless": ("keyid",),
}


def outcome(data: bytes) -> tuple[str, frozenset[str]] | None:
    """What was verified and by whom, or None if it is refused in an orderly way."""
    try:
        found = verify_bundle(data, SIGNERS, CONTEXT)
    except QuorateError:
        return None
    return found.manifest.digest, found.signers


@pytest.mark.requirement("mutate any byte of a valid bundle: DENY, or the very same")
@pytest.mark.parametrize("method", BUNDLES)
@settings(max_examples=250)
@given(data=st.data())
def test_a_changed_byte_is_refused_or_harmless(method: str, data: st.DataObject) -> None:
    """No change of a byte lets another list of files or another signer through."""
    original = BUNDLES[method]
    index = data.draw(st.integers(0, len(original) - 1))
    changed = bytearray(original)
    changed[index] = data.draw(st.integers(0, 255).filter(lambda byte: byte != original[index]))
    assert outcome(bytes(changed)) in (None, outcome(original))


def places(value: Any, path: tuple[Any, ...] = ()) -> Any:
    """Every scalar of a JSON document with the way to it."""
    if isinstance(value, dict | list):
        for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield from places(inner, (*path, key))
    else:
        yield path, value


def with_value(document: Any, path: tuple[Any, ...], value: Any) -> bytes:
    """The document with another value at that place."""
    copied = json.loads(json.dumps(document))
    target = copied
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = value
    return json.dumps(copied).encode()


@pytest.mark.requirement("every field of a bundle flips the verdict when mutated")
@pytest.mark.parametrize("method", BUNDLES)
def test_every_field_matters(method: str) -> None:
    """Each value of a bundle, changed at its beginning, middle or end, is refused."""
    document = json.loads(BUNDLES[method])
    assert outcome(BUNDLES[method]) is not None
    for path, value in places(document):
        if path[-1] in UNREAD[method]:
            continue
        for index in {0, len(value) // 2, len(value) - 1}:
            other = "B" if value[index] != "B" else "C"
            changed = with_value(document, path, value[:index] + other + value[index + 1 :])
            assert outcome(changed) is None, path


@given(st.binary(max_size=400))
def test_any_bytes_are_a_bundle_or_refused(data: bytes) -> None:
    """The parsers of bundles and certificates never crash."""
    for read in (parse_bundle, read_leaf):
        try:
            read(data)
        except QuorateError:
            continue


@settings(max_examples=150)
@given(st.integers(0, 2000), st.integers(1, 255))
def test_a_changed_certificate_never_counts(index: int, change: int) -> None:
    """Whatever bit of a leaf is changed, it is not the one that the authority signed."""
    document = json.loads(BUNDLES["certificate"])
    raw = document["verificationMaterial"]["x509CertificateChain"]["certificates"][0]
    der = bytearray(base64.b64decode(raw["rawBytes"]))
    der[index % len(der)] ^= change
    raw["rawBytes"] = base64.b64encode(der).decode()
    assert outcome(json.dumps(document).encode()) is None
