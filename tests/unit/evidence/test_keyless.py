"""Keyless signatures against a private Sigstore, verified offline by the real client library."""

import base64
import copy
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from quorate.errors import QuorateError, SignatureError
from quorate.evidence.model_signing import SignedModel, statement_of, verify_bundle
from quorate.evidence.signatures import Context, KeylessSigner, Method, SignerSet
from quorate_sigstore import OfflineSigstore
from tests.fakes.sigstore_instance import IDENTITY, ISSUER, Instance
from tests.fakes.vouching import NOW, model_files

INSTANCE = Instance()
FILES = model_files()
PAYLOAD = statement_of(FILES, "demo").encode()
BUNDLE = INSTANCE.sign(PAYLOAD)
CONTEXT = Context(NOW, OfflineSigstore())
ROOT = Path(__file__).resolve().parents[3]


def accepting(
    identity: str = IDENTITY, issuer: str = ISSUER, root: str = INSTANCE.trusted_root
) -> SignerSet:
    return SignerSet(keyless=(KeylessSigner("ci", identity, issuer),), trusted_root=root)


def judged(bundle: dict[str, Any], signers: SignerSet | None = None) -> SignedModel:
    return verify_bundle(json.dumps(bundle).encode(), signers or accepting(), CONTEXT)


@pytest.mark.requirement("keyless: identity and issuer exact, offline trusted root")
def test_a_logged_signature_counts_for_good() -> None:
    """A certificate of ten minutes, long gone, whose signature the log saw in time."""
    model = judged(BUNDLE)
    (by,) = model.signatures
    assert (by.method, by.not_after) == (Method.KEYLESS, None)
    assert by.signed_at == NOW - timedelta(days=90) + timedelta(seconds=5)
    assert IDENTITY in by.signer
    assert ISSUER in by.signer
    assert model.manifest == FILES


WRONG = {
    "identity": accepting(identity="https://ci.example.com/other.yml"),
    "identity's beginning": accepting(identity=IDENTITY[:-1]),
    "identity's case": accepting(identity=IDENTITY.upper()),
    "issuer": accepting(issuer="https://other.example.com"),
    "issuer's beginning": accepting(issuer=ISSUER[:-1]),
    "trusted root": accepting(root=Instance().trusted_root),
    "no trusted root": accepting(root="{}"),
}


@pytest.mark.requirement("class 11: a true signature by an identity that is not accepted")
@pytest.mark.parametrize("signers", WRONG.values(), ids=WRONG.keys())
def test_identity_issuer_and_root_must_match(signers: SignerSet) -> None:
    """Each of the three is compared exactly; none makes up for another."""
    with pytest.raises(QuorateError):
        judged(BUNDLE, signers)


def retired(years: str) -> str:
    """A root whose authority was followed by one of the same name, and retired at that time."""
    root = json.loads(INSTANCE.trusted_root)
    follower = json.loads(Instance().trusted_root)["certificateAuthorities"]
    root["certificateAuthorities"][0]["validFor"]["end"] = f"{years}-01-01T00:00:00Z"
    root["certificateAuthorities"] += follower
    return json.dumps(root)


def test_a_retired_authority_is_told_from_its_follower_by_its_key() -> None:
    """Whoever holds the old authority's key signs nothing in the new one's time, although both
    bear one name; what it certified in its own time counts."""
    assert judged(BUNDLE, accepting(root=retired(str(NOW.year + 1)))).signatures
    with pytest.raises(SignatureError, match="not in use"):
        judged(BUNDLE, accepting(root=retired(str(NOW.year - 2))))


def test_a_second_name_is_refused() -> None:
    """The library accepts any of several names; a second one could be anybody's."""
    names = (
        x509.UniformResourceIdentifier(IDENTITY),
        x509.UniformResourceIdentifier("https://ci.example.com/other"),
    )
    two = Instance(names=names)
    with pytest.raises(SignatureError, match="not accepted"):
        judged(two.sign(PAYLOAD), accepting(root=two.trusted_root))


def entry(bundle: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = bundle["verificationMaterial"]["tlogEntries"][0]
    return found


def test_another_signatures_log_entry_is_refused() -> None:
    """Class 12: an entry of the log must be about this very signature (GHSA-ccxc-vr6p-4858)."""
    other = INSTANCE.sign(PAYLOAD)
    spoiled = copy.deepcopy(BUNDLE)
    spoiled["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"]
    with pytest.raises(QuorateError):
        judged(spoiled)


def test_a_signature_after_the_certificate_expired_is_refused() -> None:
    """A stolen key that signs when its certificate is over is worth nothing."""
    late = Instance(INSTANCE.authority, INSTANCE.certificate_log, INSTANCE.log)
    at = NOW - timedelta(days=90)
    issue = late.certificate
    early = at - timedelta(hours=1)
    late.certificate = lambda key, at: issue(key, early)  # type: ignore[method-assign]
    with pytest.raises(SignatureError):
        judged(late.sign(PAYLOAD, at=at))


def drop(*path: str) -> Any:
    def change(bundle: dict[str, Any]) -> None:
        target = entry(bundle)
        for part in path[:-1]:
            target = target[part]
        del target[path[-1]]

    return change


def flip(*path: str) -> Any:
    """Change one bit in the middle of a base64 value."""

    def change(bundle: dict[str, Any]) -> None:
        target = entry(bundle)
        for part in path[:-1]:
            target = target[part]
        data = bytearray(base64.b64decode(target[path[-1]]))
        data[len(data) // 2] ^= 1
        target[path[-1]] = base64.b64encode(data).decode()

    return change


SPOILT = {
    "no proof": drop("inclusionProof"),
    "no checkpoint": drop("inclusionProof", "checkpoint"),
    "no promise, so no time": drop("inclusionPromise"),
    "no time": drop("integratedTime"),
    "another time": lambda b: entry(b).update(integratedTime="1700000000"),
    "another place": lambda b: entry(b)["inclusionProof"].update(logIndex="0"),
    "promise": flip("inclusionPromise", "signedEntryTimestamp"),
    "body": flip("canonicalizedBody"),
    "root": flip("inclusionProof", "rootHash"),
    "log": flip("logId", "keyId"),
    "hashes": lambda b: entry(b)["inclusionProof"].update(hashes=[]),
    "two entries": lambda b: b["verificationMaterial"]["tlogEntries"].append(entry(b)),
    "unknown field": lambda b: entry(b).update(extra=1),
    "payload": lambda b: b["dsseEnvelope"].update(
        payload=base64.b64encode(statement_of(model_files("9"), "demo").encode()).decode()
    ),
    "payload type": lambda b: b["dsseEnvelope"].update(payloadType="application/json"),
    "junk certificate": lambda b: b["verificationMaterial"]["certificate"].update(rawBytes="AAAA"),
    "timestamp that nobody vouches for": lambda b: b["verificationMaterial"].update(
        timestampVerificationData={"rfc3161Timestamps": [{"signedTimestamp": "MAMCAQA="}]}
    ),
}


@pytest.mark.requirement("class 12: log entry, proof and promise are bound to the signature")
@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
def test_whatever_is_missing_or_changed_is_refused(spoil: Any) -> None:
    """Every part of the proof is needed, and is what it was."""
    bundle = copy.deepcopy(BUNDLE)
    spoil(bundle)
    with pytest.raises(QuorateError):
        judged(bundle)


def test_a_certificate_that_no_log_saw_is_refused() -> None:
    """The certificate's own log is another instance's."""
    other = Instance(INSTANCE.authority, log=INSTANCE.log)
    with pytest.raises(SignatureError, match="SCT"):
        judged(other.sign(PAYLOAD))


def test_without_the_client_nothing_counts() -> None:
    """A judge that cannot verify keyless signatures denies them."""
    with pytest.raises(SignatureError, match="nothing here verifies keyless"):
        verify_bundle(json.dumps(BUNDLE).encode(), accepting(), Context(NOW))


def test_a_signature_from_the_future_is_refused() -> None:
    """A log whose clock runs ahead of the judge's is not believed."""
    with pytest.raises(SignatureError, match="future"):
        judged(INSTANCE.sign(PAYLOAD, at=NOW + timedelta(minutes=5)))


_OFFLINE = """
import sys

# A library looks for IPv6 on the loopback address while it is imported; nobody may speak even then.
SPEAKING = ("connect", "getaddrinfo", "gethostbyname", "sendto", "sendmsg")
loaded = False

def refuse(event, arguments):
    kind, _, what = event.partition(".")
    if kind == "socket" and (loaded or what in SPEAKING):
        raise SystemExit(f"used the network: {event}")

sys.addaudithook(refuse)
sys.path[:0] = sys.argv[1:3]
import datetime, json
from quorate.evidence.signatures import Context, KeylessSigner, SignerSet, read, verify
from quorate_sigstore import OfflineSigstore

from quorate_sigstore import keyless

loaded = True
given = json.load(sys.stdin)
signers = SignerSet(keyless=(KeylessSigner("ci", *given["who"]),), trusted_root=given["root"])
now = datetime.datetime.fromisoformat(given["now"])
data = json.dumps(given["bundle"]).encode()
found = verify(read(data), signers, "application/vnd.in-toto+json", Context(now, OfflineSigstore()))
print(found.signatures[0].signer)
"""


@pytest.mark.requirement("no network at verification")
def test_verification_opens_no_socket(tmp_path: Path) -> None:
    """A process that dies at the first socket verifies all the same, with an empty home."""
    given = {
        "who": [IDENTITY, ISSUER],
        "root": INSTANCE.trusted_root,
        "now": NOW.isoformat(),
        "bundle": BUNDLE,
    }
    ran = subprocess.run(
        [sys.executable, "-c", _OFFLINE, str(ROOT / "core"), str(ROOT)],
        input=json.dumps(given),
        env={"HOME": str(tmp_path), "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert IDENTITY in ran.stdout
    assert list(tmp_path.iterdir()) == [], "nothing is kept outside what was handed over"
