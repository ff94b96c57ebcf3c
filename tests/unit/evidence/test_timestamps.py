"""A trusted timestamp lets a signature outlive its certificate; anybody else's does not."""

import base64
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from quorate.errors import QuorateError, SignatureError
from quorate.evidence.model_signing import SignedModel, sign_model, verify_bundle
from quorate.evidence.signatures import CertificateSigner, Context, SignerSet
from quorate_sigstore import OfflineSigstore
from tests.fakes.authorities import Authority
from tests.fakes.timestamps import TimestampAuthority
from tests.fakes.vouching import model_files

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="needs the openssl command to make timestamps"
)

DAY = timedelta(days=1)
TODAY = datetime.now(UTC).replace(microsecond=0)
LATER = TODAY + 400 * DAY
"""When the signer's certificate has long expired."""
ROOT = Authority("Root", not_before=TODAY - 900 * DAY, not_after=TODAY + 900 * DAY)
TIME_ROOT = Authority("Time Root", not_before=TODAY - 900 * DAY, not_after=TODAY + 900 * DAY)
SAN = x509.RFC822Name("signer@example.com")
FILES = model_files()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TimestampAuthority:
    return TimestampAuthority.create(tmp_path_factory.mktemp("tsa"), TIME_ROOT)


def stamped(authority: TimestampAuthority, over: bytes | None = None, **leaf: Any) -> bytes:
    """A bundle with a timestamp over its signature, or over something else."""
    times = {"not_before": TODAY - DAY, "not_after": TODAY + DAY} | leaf
    key, certificate = ROOT.signer(SAN, **times)
    bundle = json.loads(sign_model(FILES, "demo", key, [certificate]))
    signature = base64.b64decode(bundle["dsseEnvelope"]["signatures"][0]["sig"])
    response = base64.b64encode(authority.stamp(over or signature)).decode()
    bundle["verificationMaterial"]["timestampVerificationData"] = {
        "rfc3161Timestamps": [{"signedTimestamp": response}]
    }
    return json.dumps(bundle).encode()


def judged(data: bytes, chain: tuple[x509.Certificate, ...], at: datetime = LATER) -> SignedModel:
    pinned = CertificateSigner("c", (ROOT.certificate,), SAN.value, timestamp_authority=chain)
    context = Context(at, OfflineSigstore())
    return verify_bundle(data, SignerSet(certificates=(pinned,)), context)


@pytest.mark.requirement("signed by certificate: validity now or at a trusted timestamp")
def test_a_signature_seen_in_time_counts_for_good(authority: TimestampAuthority) -> None:
    """The certificate was valid when the policy's authority saw the signature."""
    (by,) = judged(stamped(authority), authority.chain).signatures
    assert by.not_after is None
    assert by.signed_at is not None
    assert abs(by.signed_at - TODAY) < DAY


def test_a_signature_seen_too_late_is_refused(authority: TimestampAuthority) -> None:
    """A timestamp from after the certificate's end, or before its beginning, does not help."""
    late = stamped(authority, not_before=TODAY - 9 * DAY, not_after=TODAY - DAY)
    early = stamped(authority, not_before=TODAY + DAY, not_after=TODAY + 900 * DAY)
    for data in (late, early):
        with pytest.raises(SignatureError, match="vouches"):
            judged(data, authority.chain)


def test_a_timestamp_of_another_signature_is_refused(authority: TimestampAuthority) -> None:
    """Class 12: what was seen must be this signature."""
    with pytest.raises(SignatureError):
        judged(stamped(authority, over=b"another signature"), authority.chain)


def test_only_the_policys_authority_counts(authority: TimestampAuthority, tmp_path: Path) -> None:
    """Another authority's word, or one the policy names none for, is refused, even in time."""
    other_root = Authority("Time Root", not_before=TODAY - 900 * DAY, not_after=TODAY + 900 * DAY)
    other = TimestampAuthority.create(tmp_path, other_root)
    for at in (TODAY, LATER):
        with pytest.raises(SignatureError):
            judged(stamped(other), authority.chain, at)
        with pytest.raises(SignatureError, match="names no timestampAuthority"):
            judged(stamped(authority), (), at)


def test_a_timestamp_from_the_future_is_refused(authority: TimestampAuthority) -> None:
    """An authority whose clock runs ahead of the judge's is not believed."""
    with pytest.raises(SignatureError, match="future"):
        judged(stamped(authority, not_before=TODAY - 30 * DAY), authority.chain, TODAY - 2 * DAY)


def test_every_byte_of_a_timestamp_matters(authority: TimestampAuthority) -> None:
    """Changing one byte of the response never moves the time and never crashes."""
    original = stamped(authority)
    document = json.loads(original)
    stamps = document["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    response = base64.b64decode(stamps[0]["signedTimestamp"])
    expected = judged(original, authority.chain).signatures[0].signed_at
    for index in range(0, len(response), 7):
        changed = bytearray(response)
        changed[index] ^= 1
        stamps[0]["signedTimestamp"] = base64.b64encode(changed).decode()
        try:
            found = judged(json.dumps(document).encode(), authority.chain)
        except QuorateError:
            continue
        assert found.signatures[0].signed_at == expected
