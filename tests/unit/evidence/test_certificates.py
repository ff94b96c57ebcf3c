"""OMS bundles signed with a certificate: authority, names, use and time, each exactly."""

import base64
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from quorate.errors import InvalidInput, QuorateError, SignatureError
from quorate.evidence.model_signing import SignedModel, sign_model, verify_bundle
from quorate.evidence.signatures import CertificateSigner, Context, Method, SignerSet
from quorate.evidence.signatures.certificate import load_authorities
from quorate.keys import LocalSigner
from tests.fakes.authorities import DAY, Authority, Usage, der, pem
from tests.fakes.vouching import NOW, model_files

EMAIL = "signer@example.com"
SAN = x509.RFC822Name(EMAIL)
FILES = model_files()
ROOT = Authority("Root")
MIDDLE = Authority("Middle", ROOT)


def accepting(root: Authority = ROOT, **pins: str) -> SignerSet:
    """A policy's one certificate identity."""
    pinned: dict[str, Any] = pins or {"subject_alternative_name": EMAIL}
    return SignerSet(certificates=(CertificateSigner("owner", (root.certificate,), **pinned),))


def signed(authority: Authority, *names: x509.GeneralName, **details: Any) -> bytes:
    """A bundle by a fresh key that ``authority`` certified."""
    key, certificate = authority.signer(*names, **details)
    chain = [certificate] if authority.parent is None else [certificate, authority.certificate]
    return sign_model(FILES, "demo", key, chain)


def judged(data: bytes, signers: SignerSet | None = None, at: datetime = NOW) -> SignedModel:
    return verify_bundle(data, signers or accepting(), Context(at))


@pytest.mark.requirement("signed by certificate: explicit CA, pinned name, valid now")
@pytest.mark.parametrize("authority", [ROOT, MIDDLE], ids=["root", "intermediate"])
def test_a_certified_signature_counts(authority: Authority) -> None:
    """A pinned name under the policy's authority counts until its certificate expires."""
    model = judged(signed(authority, SAN))
    (by,) = model.signatures
    assert (by.method, by.not_after) == (Method.CERTIFICATE, NOW + 30 * DAY)
    assert EMAIL in by.signer
    assert "CN=Root" in by.signer
    assert model.manifest == FILES
    assert model.holds_until(1) == NOW + 30 * DAY


@pytest.mark.parametrize(
    "name",
    [x509.UniformResourceIdentifier("spiffe://example.com/ci"), x509.DNSName("ci.example.com")],
)
def test_every_kind_of_name_can_be_pinned(name: Any) -> None:
    """A URI or a DNS name is compared exactly, like an e-mail address."""
    pinned = accepting(subject_alternative_name=name.value)
    assert judged(signed(ROOT, name), pinned).signatures
    with pytest.raises(SignatureError, match="not accepted"):
        judged(signed(ROOT, name))


def test_a_common_name_can_be_pinned() -> None:
    """Certificates without an alternative name are pinned by their common name."""
    data = signed(ROOT, common_name="Model Signer")
    assert judged(data, accepting(common_name="Model Signer")).signatures
    with pytest.raises(SignatureError, match="not accepted"):
        judged(data, accepting(common_name="Model"))


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()]
)
def test_other_kinds_of_keys_count(key: Any) -> None:
    """P-384 and Ed25519 keys can be certified too."""
    data = sign_model(FILES, "demo", LocalSigner(key), [ROOT.issue(key, SAN)])
    assert judged(data).signatures


@pytest.mark.requirement("class 30: an expired certificate is refused, whatever it says of itself")
@pytest.mark.parametrize("when", ["2020", "yesterday", "tomorrow"])
def test_a_leaf_must_be_valid_now(when: str) -> None:
    """The reference library takes the certificate's own beginning for the time of signing."""
    start, end = {
        "2020": (NOW - 2500 * DAY, NOW - 2200 * DAY),
        "yesterday": (NOW - 9 * DAY, NOW - DAY),
        "tomorrow": (NOW + DAY, NOW + 9 * DAY),
    }[when]
    root = Authority("Old Root", not_before=NOW - 3000 * DAY)
    data = signed(root, SAN, not_before=start, not_after=end)
    with pytest.raises(SignatureError, match="vouches"):
        judged(data, accepting(root))
    assert judged(data, accepting(root), start + DAY / 2).signatures


def test_a_signature_lasts_as_its_certificate() -> None:
    """The same bytes count before the certificate's end and not after."""
    data = signed(ROOT, SAN)
    assert judged(data, at=NOW + 30 * DAY - timedelta(seconds=1)).signatures
    with pytest.raises(SignatureError, match="vouches"):
        judged(data, at=NOW + 30 * DAY + timedelta(seconds=1))


def test_an_expired_intermediate_is_refused() -> None:
    """Every certificate of the path must be valid, not the leaf alone."""
    middle = Authority("Middle", ROOT, not_after=NOW - DAY)
    with pytest.raises(SignatureError, match="vouches"):
        judged(signed(middle, SAN))


NAMES: dict[str, tuple[x509.GeneralName, ...]] = {
    "another": (x509.RFC822Name("other@example.com"),),
    "other case": (x509.RFC822Name("Signer@example.com"),),
    "longer": (x509.RFC822Name("signer@example.com.attacker.test"),),
    "second name": (SAN, x509.RFC822Name("other@example.com")),
    "second kind of name": (SAN, x509.DirectoryName(x509.Name([]))),
    "none": (),
}


@pytest.mark.requirement("class 11: signed under the authority, by somebody who is not accepted")
@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES.keys())
def test_names_are_compared_exactly(names: tuple[x509.GeneralName, ...]) -> None:
    """The reference library accepts any name; a second name could be anybody's."""
    data = signed(ROOT, *names, common_name=EMAIL)
    with pytest.raises(QuorateError, match="not accepted"):
        judged(data)


@pytest.mark.requirement("class 11: an authority that the policy does not name never counts")
def test_only_the_policys_authority_counts() -> None:
    """A namesake with another key is a stranger; there is no store of roots to fall back on."""
    namesake = Authority("Root")
    for data in (signed(namesake, SAN), signed(Authority("Middle", namesake), SAN)):
        with pytest.raises(SignatureError, match="vouches"):
            judged(data)


def test_self_signed_is_refused() -> None:
    """A certificate that vouches for itself proves a key, not a name."""
    alone = Authority("Self")
    with pytest.raises(SignatureError, match="vouches"):
        judged(signed(alone, SAN))


USAGES = {
    "no digital signature": Usage(digital_signature=False),
    "no key usage": Usage(present=False),
    "a server's": Usage(extended=(ExtendedKeyUsageOID.SERVER_AUTH,)),
    "e-mail's": Usage(extended=(ExtendedKeyUsageOID.EMAIL_PROTECTION,)),
}


@pytest.mark.requirement("class 30: a certificate for another use is refused")
@pytest.mark.parametrize("usage", USAGES.values(), ids=USAGES.keys())
def test_a_certificate_must_be_for_signing(usage: Usage) -> None:
    """A web server's certificate with the right name signs no model."""
    with pytest.raises(SignatureError, match="usage"):
        judged(signed(ROOT, SAN, usage=usage))


def test_a_certificate_without_extended_usage_may_sign() -> None:
    """Extended key usage restricts where it stands; it need not stand."""
    assert judged(signed(ROOT, SAN, usage=Usage(extended=None))).signatures


def test_an_unknown_critical_extension_is_refused() -> None:
    """A restriction that cannot be read must not be ignored (RFC 5280, section 4.2)."""
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    with pytest.raises(QuorateError):
        judged(signed(ROOT, SAN, critical=(odd,)))


def test_a_leaf_cannot_issue() -> None:
    """A certificate issued with a signer's own key leads nowhere."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = ROOT.issue(key, x509.RFC822Name("somebody@example.com"))
    forger = Authority("somebody@example.com", key=key)
    leaf = ec.generate_private_key(ec.SECP256R1())
    chain = [forger.issue(leaf, SAN), certificate]
    with pytest.raises(SignatureError, match="vouches"):
        judged(sign_model(FILES, "demo", LocalSigner(leaf), chain))


def test_an_authority_signs_no_model() -> None:
    """The authority's own certificate is not a signer's."""
    data = sign_model(FILES, "demo", LocalSigner(ROOT.key), [ROOT.certificate])
    with pytest.raises(SignatureError, match="authority's own"):
        judged(data, accepting(common_name="Root"))


def test_weak_keys_are_refused() -> None:
    """A certificate does not make a short key long."""
    key = rsa.generate_private_key(65537, 2048)
    bundle = json.loads(signed(ROOT, SAN))
    bundle["verificationMaterial"]["x509CertificateChain"]["certificates"] = [
        {"rawBytes": base64.b64encode(der(ROOT.issue(key, SAN))).decode()}
    ]
    with pytest.raises(InvalidInput, match="2048 bits"):
        judged(json.dumps(bundle).encode())


def test_the_signature_must_be_the_leafs() -> None:
    """Somebody else's certificate over one's own signature is refused."""
    bundle, other = json.loads(signed(ROOT, SAN)), json.loads(signed(ROOT, SAN))
    bundle["verificationMaterial"] = other["verificationMaterial"]
    with pytest.raises(SignatureError, match="does not verify"):
        judged(json.dumps(bundle).encode())


def test_strangers_in_the_chain_are_refused() -> None:
    """What nothing verifies must not be carried along."""
    key, certificate = ROOT.signer(SAN)
    chain = [certificate, Authority("Stranger").certificate]
    with pytest.raises(SignatureError, match="not on the path"):
        judged(sign_model(FILES, "demo", key, chain))


@pytest.mark.parametrize("count", [0, 7])
def test_chains_are_bounded(count: int) -> None:
    """An empty chain and a chain without end are refused before anything is verified."""
    bundle = json.loads(signed(ROOT, SAN))
    chain = bundle["verificationMaterial"]["x509CertificateChain"]
    chain["certificates"] = chain["certificates"] * count
    with pytest.raises(InvalidInput):
        judged(json.dumps(bundle).encode())


def test_without_a_time_no_certificate_counts() -> None:
    """Whoever does not say when cannot accept a certificate."""
    with pytest.raises(SignatureError, match="without a time"):
        verify_bundle(signed(ROOT, SAN), accepting())


def test_certificates_do_not_count_as_keys() -> None:
    """A bundle by certificate is not accepted for its key being listed, nor the other way."""
    key, certificate = ROOT.signer(SAN)
    by_key = SignerSet((key.public_key,))
    with pytest.raises(SignatureError, match="not accepted"):
        judged(sign_model(FILES, "demo", key, [certificate]), by_key)
    with pytest.raises(SignatureError, match="none of 0 accepted keys"):
        judged(sign_model(FILES, "demo", key), accepting())


def test_signing_with_somebody_elses_certificate_is_refused() -> None:
    """The signer finds out, not the verifier."""
    _, certificate = ROOT.signer(SAN)
    stranger = LocalSigner(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(InvalidInput, match="not for the key"):
        sign_model(FILES, "demo", stranger, [certificate])


LEAF = ROOT.signer(SAN)[1]
BAD_ANCHORS = {
    "leaf": pem(LEAF),
    "key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    "nothing": "",
    "five": pem(*[ROOT.certificate] * 5),
    "junk": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
}


@pytest.mark.parametrize("text", BAD_ANCHORS.values(), ids=BAD_ANCHORS.keys())
def test_anchors_are_certificates_of_authorities(text: str) -> None:
    """A policy that names something else does not compile."""
    with pytest.raises(InvalidInput):
        load_authorities(text)
