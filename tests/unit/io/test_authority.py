"""Authorities and leafs: valid for the names and the time asked for, and for nothing more."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from quorate.errors import InvalidInput
from quorate_io.authority import NO_EXPIRY, AuthorityKey, issue_leaf, make_authority, renew_at
from tests.fakes.vouching import NOW

BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
KEYS: list[AuthorityKey] = [
    ed25519.Ed25519PrivateKey.generate(),
    ec.generate_private_key(ec.SECP256R1()),
]


def authority(key: AuthorityKey) -> x509.Certificate:
    """An authority without an end."""
    return make_authority("test authority", key, not_before=BEGINNING)


@pytest.mark.parametrize("key", KEYS, ids=["ed25519", "p256"])
def test_a_leaf_verifies_for_its_names(key: AuthorityKey) -> None:
    """Chain, name and time, as a strict verifier sees them."""
    root = authority(key)
    leaf = issue_leaf(root, key, ["a.test", "10.0.0.1"], now=NOW, life=DAY)
    certificate = x509.load_pem_x509_certificate(leaf.certificate_pem)
    certificate.verify_directly_issued_by(root)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.test"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]
    assert certificate.not_valid_before_utc == NOW - timedelta(seconds=30)
    assert certificate.not_valid_after_utc == leaf.not_after == NOW + DAY
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_strict_verifier_accepts_the_chain() -> None:
    """The library's own path validation, which follows the web's rules for extensions."""
    key = ec.generate_private_key(ec.SECP256R1())
    root = authority(key)
    leaf = issue_leaf(root, key, ["a.test"], now=NOW, life=DAY)
    certificate = x509.load_pem_x509_certificate(leaf.certificate_pem)
    builder = PolicyBuilder().store(Store([root])).time(NOW)
    builder.build_server_verifier(x509.DNSName("a.test")).verify(certificate, [])
    with pytest.raises(VerificationError):
        builder.build_server_verifier(x509.DNSName("b.test")).verify(certificate, [])


def test_an_authority_is_a_function_of_its_key() -> None:
    """Made again it is the same to the byte; another key gives another."""
    pems = {authority(KEYS[0]).public_bytes(serialization.Encoding.DER) for _ in range(3)}
    assert len(pems) == 1
    other = authority(ed25519.Ed25519PrivateKey.generate())
    assert other.serial_number != authority(KEYS[0]).serial_number
    assert other.not_valid_after_utc == NO_EXPIRY


def test_leafs_have_keys_of_their_own() -> None:
    """No two share a key or a serial number."""
    leafs = [issue_leaf(authority(KEYS[0]), KEYS[0], ["a"], now=NOW, life=DAY) for _ in range(3)]
    loaded = [x509.load_pem_x509_certificate(leaf.certificate_pem) for leaf in leafs]
    assert len({leaf.key_pem for leaf in leafs}) == 3
    assert len({certificate.serial_number for certificate in loaded}) == 3


@pytest.mark.parametrize("names", [[], ["n"] * 33])
def test_names_are_bounded(names: list[str]) -> None:
    """At least one, at most 32."""
    with pytest.raises(InvalidInput):
        issue_leaf(authority(KEYS[0]), KEYS[0], names, now=NOW, life=DAY)


@pytest.mark.parametrize("life", [timedelta(0), -DAY])
def test_a_leaf_must_live(life: timedelta) -> None:
    """A certificate that is never valid is a mistake."""
    with pytest.raises(InvalidInput):
        issue_leaf(authority(KEYS[0]), KEYS[0], ["a"], now=NOW, life=life)


def test_the_key_must_be_the_authoritys() -> None:
    """A leaf that would not verify is never made."""
    with pytest.raises(InvalidInput):
        issue_leaf(authority(KEYS[0]), KEYS[1], ["a"], now=NOW, life=DAY)


def test_renewal_is_at_two_thirds() -> None:
    """A day's certificate is replaced after sixteen hours."""
    assert renew_at(NOW, NOW + DAY) == NOW + timedelta(hours=16)
