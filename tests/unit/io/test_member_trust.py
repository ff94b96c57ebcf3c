"""The bootstrap: what the pinned digest proves is believed, and nothing else."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st

from quorate.consensus.thresholds import Thresholds
from quorate.errors import Expired, InvalidInput, QuorateError, SignatureError, SubjectMismatch
from quorate.genesis import encode, first_epoch
from quorate.keys import LocalSigner
from quorate_io import member_trust
from quorate_io.authority import issue_leaf, make_authority
from quorate_io.member_trust import Followed, Trust, establish
from tests.fakes.vouching import NOW, seats

BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
KEY, OTHER, STRANGER = (ed25519.Ed25519PrivateKey.generate() for _ in range(3))


GENESIS = first_epoch(
    "cluster-1", seats([LocalSigner(KEY), LocalSigner(OTHER)]), Thresholds(2, 2, 2, 0)
)
DOCUMENT = json.loads(encode(GENESIS))


def trust_in(body: bytes) -> Trust:
    """What somebody makes of an answer who knows only the digest of the genesis."""
    found = member_trust.read(body)
    return establish(found, Followed(GENESIS.digest_text).follow(found), NOW)


def pem(certificate: x509.Certificate) -> str:
    """A certificate as it is sent."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def authority(key: ed25519.Ed25519PrivateKey = KEY, **times: datetime) -> str:
    """The PEM of an authority."""
    return pem(make_authority("member", key, **({"not_before": BEGINNING} | times)))


def answer(*pems: Any, genesis: Any = None) -> bytes:
    """The body of ``GET /v1/genesis``."""
    document = DOCUMENT if genesis is None else genesis
    return json.dumps({"genesis": document, "caCertificates": list(pems)}).encode()


def test_the_members_authorities_are_trusted() -> None:
    """Each is signed by the key of a member that the pinned genesis names."""
    trust = trust_in(answer(authority(KEY), authority(OTHER)))
    assert trust.history.recent == (GENESIS,)
    assert len(trust.authorities) == 2


def signed_by_another() -> str:
    """The member's public key in a certificate that somebody else signed."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "member")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(KEY.public_key()).serial_number(1)
    builder = builder.not_valid_before(BEGINNING).not_valid_after(NOW + timedelta(days=1))
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    return pem(builder.add_extension(constraints, critical=True).sign(STRANGER, None))


def no_authority(ca: bool | None) -> str:
    """Signed by the member, but not as an authority."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "member")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(KEY.public_key()).serial_number(1)
    builder = builder.not_valid_before(BEGINNING).not_valid_after(NOW + timedelta(days=1))
    if ca is not None:
        builder = builder.add_extension(
            x509.BasicConstraints(ca=ca, path_length=None), critical=True
        )
    return pem(builder.sign(KEY, None))


def leaf() -> str:
    """A leaf in the authority's place."""
    root = make_authority("member", KEY, not_before=BEGINNING)
    made = issue_leaf(root, KEY, ["a"], now=NOW, life=timedelta(days=1))
    return made.certificate_pem.decode()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (answer(authority(STRANGER)), SubjectMismatch),
        (answer(authority(), authority(STRANGER)), SubjectMismatch),
        (answer(leaf()), SubjectMismatch),
        (answer(signed_by_another()), SignatureError),
        (answer(no_authority(ca=False)), QuorateError),
        (answer(no_authority(ca=None)), QuorateError),
        (answer(authority(not_after=NOW)), Expired),
        (answer(authority(not_before=NOW + timedelta(seconds=1))), Expired),
        (answer(authority() + authority(STRANGER)), InvalidInput),
        (answer("text before\n" + authority() + "-----BEGIN X-----"), InvalidInput),
        (answer("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"), InvalidInput),
        (answer("é"), InvalidInput),
        (answer(1), InvalidInput),
        (answer(), InvalidInput),
        (answer(*[authority()] * 17), InvalidInput),
        (answer(authority(), genesis={}), InvalidInput),
        (answer(authority(), genesis=DOCUMENT | {"clusterId": "x"}), SubjectMismatch),
        (answer(authority(), genesis=DOCUMENT | {"more": 1}), InvalidInput),
        (b"", InvalidInput),
        (b"<html>", InvalidInput),
        (b" " * 2_000_000, InvalidInput),
    ],
)
@pytest.mark.requirement("genesis is pinned by its digest in the injected arguments")
def test_answers_that_prove_nothing(body: bytes, error: type[QuorateError]) -> None:
    """Another genesis, another key, another signer, another time, more or less than asked for."""
    with pytest.raises(error):
        trust_in(body)


def test_only_the_certificate_reaches_the_tls_library() -> None:
    """What stands around a certificate in its PEM text is dropped."""
    trust = trust_in(answer("comment\n" + authority() + "\ntrailer"))
    assert trust.authorities == (authority(),)


@given(st.binary(max_size=300) | st.text(max_size=80).map(answer))
def test_any_answer_is_believed_or_refused(body: bytes) -> None:
    """Nothing but an error of ours, whatever is served."""
    with pytest.raises(QuorateError):
        trust_in(body)
