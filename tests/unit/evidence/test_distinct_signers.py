"""Thresholds count people as far as signatures can tell them apart."""

import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from quorate.errors import InvalidInput, SignatureError
from quorate.evidence.model_signing import sign_model, statement_of, verify_bundles
from quorate.evidence.signatures import (
    CertificateSigner,
    Context,
    KeylessSigner,
    SignerSet,
    distinct,
)
from quorate.keys import LocalSigner
from quorate_sigstore import OfflineSigstore
from tests.fakes.authorities import DAY, Authority
from tests.fakes.sigstore_instance import IDENTITY, ISSUER, Instance
from tests.fakes.vouching import NOW, model_files, signer

FILES = model_files()
ROOT, OTHER_ROOT, INSTANCE = Authority("Root"), Authority("Other Root"), Instance()
ALICE, BOB = x509.RFC822Name("alice@example.com"), x509.RFC822Name("bob@example.com")
CONTEXT = Context(NOW, OfflineSigstore())


def pinned(name: x509.RFC822Name, *roots: Authority) -> CertificateSigner:
    anchors = tuple(root.certificate for root in roots or (ROOT,))
    return CertificateSigner(name.value, anchors, subject_alternative_name=name.value)


def by_certificate(name: x509.RFC822Name, root: Authority = ROOT, **details: Any) -> bytes:
    key, certificate = root.signer(name, **details)
    return sign_model(FILES, "demo", key, [certificate])


def keyless() -> bytes:
    return json.dumps(INSTANCE.sign(statement_of(FILES, "demo").encode())).encode()


def count(signers: SignerSet, *bundles: bytes) -> int:
    """How many signers the bundles show."""
    return len(distinct(verify_bundles(bundles, signers.needing(1), CONTEXT).signatures))


@pytest.mark.requirement("k-of-n over keys, certificates and keyless identities together")
def test_methods_add_up() -> None:
    """A key, a certificate and a keyless identity are three signers."""
    key = signer()
    everybody = SignerSet(
        keys=(key.public_key,),
        certificates=(pinned(ALICE),),
        keyless=(KeylessSigner("ci", IDENTITY, ISSUER),),
        trusted_root=INSTANCE.trusted_root,
        threshold=3,
    )
    bundles = [sign_model(FILES, "demo", key), by_certificate(ALICE), keyless()]
    model = verify_bundles(bundles, everybody, CONTEXT)
    assert {item.method.value for item in model.signatures} == {"key", "certificate", "keyless"}
    for missing in range(3):
        left = [bundle for index, bundle in enumerate(bundles) if index != missing]
        with pytest.raises(SignatureError, match="2 accepted signers"):
            verify_bundles(left, everybody, CONTEXT)


@pytest.mark.requirement("one person's key listed as a key and within a certificate counts once")
def test_a_key_and_its_certificate_are_one() -> None:
    """The same public key, listed as such and certified, is one signer."""
    key, certificate = ROOT.signer(ALICE)
    both = SignerSet((key.public_key,), (pinned(ALICE),), threshold=2)
    bundles = [sign_model(FILES, "demo", key), sign_model(FILES, "demo", key, [certificate])]
    assert count(both, *bundles) == 1
    with pytest.raises(SignatureError, match="1 accepted signers"):
        verify_bundles(bundles, both, CONTEXT)


def test_a_renewed_certificate_is_the_same_signer() -> None:
    """Another key under the same name is the same person."""
    assert (
        count(
            SignerSet(certificates=(pinned(ALICE),)), by_certificate(ALICE), by_certificate(ALICE)
        )
        == 1
    )


def test_one_name_under_two_anchors_of_one_entry_is_one() -> None:
    """A policy's entry is one signer, whichever of its authorities vouches."""
    signers = SignerSet(certificates=(pinned(ALICE, ROOT, OTHER_ROOT),))
    assert count(signers, by_certificate(ALICE), by_certificate(ALICE, OTHER_ROOT)) == 1


def test_two_names_are_two_signers() -> None:
    """Different names under one authority are different people."""
    signers = SignerSet(certificates=(pinned(ALICE), pinned(BOB)))
    assert count(signers, by_certificate(ALICE), by_certificate(BOB)) == 2


def test_one_key_under_two_names_is_one() -> None:
    """Two certificates for one key do not make two people."""
    key = ec.generate_private_key(ec.SECP256R1())
    bundles = [
        sign_model(FILES, "demo", LocalSigner(key), [ROOT.issue(key, name)])
        for name in (ALICE, BOB)
    ]
    assert count(SignerSet(certificates=(pinned(ALICE), pinned(BOB))), *bundles) == 1


def test_common_and_alternative_name_of_one_certificate_are_one() -> None:
    """Pinned once by each name, a certificate and its renewal are still one person's."""
    names: dict[str, Any] = {"common_name": "Alice"}
    by_name = CertificateSigner("cn", (ROOT.certificate,), common_name="Alice")
    signers = SignerSet(certificates=(pinned(ALICE), by_name))
    assert signers.size == 2
    assert count(signers, by_certificate(ALICE, **names), by_certificate(ALICE, **names)) == 1


def test_keyless_signatures_of_one_identity_are_one() -> None:
    """Every keyless signature has a key of its own; the identity counts."""
    signers = SignerSet(
        keyless=(KeylessSigner("ci", IDENTITY, ISSUER),), trusted_root=INSTANCE.trusted_root
    )
    assert count(signers, keyless(), keyless()) == 1


def test_sharing_runs_through_others() -> None:
    """Who shares a key with one and a name with another is one with both."""
    key = ec.generate_private_key(ec.SECP256R1())
    shared = sign_model(FILES, "demo", LocalSigner(key), [ROOT.issue(key, BOB)])
    bundles = [
        sign_model(FILES, "demo", LocalSigner(key)),
        by_certificate(BOB),
        shared,
    ]
    signers = SignerSet((LocalSigner(key).public_key,), (pinned(BOB),))
    assert count(signers, *bundles[:2]) == 2
    assert count(signers, *bundles) == 1


def test_the_longest_lasting_signatures_decide_how_long() -> None:
    """A threshold holds until its last k-th signer expires; a key never does."""
    key = signer()
    signers = SignerSet((key.public_key,), (pinned(ALICE), pinned(BOB)))
    bundles = [
        sign_model(FILES, "demo", key),
        by_certificate(ALICE, not_after=NOW + 5 * DAY),
        by_certificate(BOB, not_after=NOW + 9 * DAY),
    ]
    model = verify_bundles(bundles, signers, CONTEXT)
    ends = [model.holds_until(threshold) for threshold in (1, 2, 3)]
    assert ends == [None, NOW + 9 * DAY, NOW + 5 * DAY]


def test_entries_that_say_the_same_are_one() -> None:
    """A policy cannot reach its threshold by listing one signer under two names."""
    twice = SignerSet(certificates=(pinned(ALICE), pinned(ALICE)), threshold=2)
    with pytest.raises(InvalidInput, match="distinct signers, 1"):
        twice.check()
    ci = KeylessSigner("a", IDENTITY, ISSUER), KeylessSigner("b", IDENTITY, ISSUER)
    with pytest.raises(InvalidInput, match="distinct signers, 1"):
        SignerSet(keyless=ci, trusted_root="{}", threshold=2).check()
    with pytest.raises(InvalidInput, match="trustedRoot"):
        SignerSet(keyless=ci).check()
