"""OMS bundles: what verifies, what counts towards k-of-n, what is refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from quorate import limits
from quorate.errors import InvalidInput, LimitExceeded, SignatureError, SubjectMismatch
from quorate.evidence import model_signing
from quorate.evidence.signatures import SignerSet
from quorate.keys import LocalSigner, PublicKey
from quorate.manifest import manifest
from tests.unit.evidence import oms

A, B, C = oms.signer(1), oms.signer(2), oms.signer(3)
KEYS = SignerSet((A.public_key, B.public_key, C.public_key))
MANIFEST = manifest(oms.FILES.items())
OTHER_FILES = {**oms.FILES, "added.py": "03" * 32}
Change = Callable[[dict[str, Any]], object]


def test_bundle_verifies() -> None:
    """A good bundle gives the manifest of exactly the listed files, and who signed."""
    model = model_signing.verify_bundle(oms.bundle(oms.statement(), A), KEYS)
    assert model.manifest.digest == MANIFEST.digest
    assert model.signers == {A.public_key.key_id}
    assert model.problems == ()


def test_p384_bundle_verifies() -> None:
    """P-384 keys sign with SHA-384."""
    key = LocalSigner(ec.generate_private_key(ec.SECP384R1()))
    model = model_signing.verify_bundle(
        oms.bundle(oms.statement(), key), SignerSet((key.public_key,))
    )
    assert model.signers == {key.public_key.key_id}


def test_order_of_resources_does_not_matter() -> None:
    """OMS sorts by path parts, other writers by string: the manifest is the same."""
    files = {"a-b/x": "01" * 32, "a/x": "02" * 32}
    by_string = oms.bundle(oms.statement(files), A)
    by_parts = oms.bundle(oms.statement(dict(reversed(files.items()))), A)
    digests = {
        model_signing.verify_bundle(data, KEYS).manifest.digest for data in (by_string, by_parts)
    }
    assert digests == {manifest(files.items()).digest}


@pytest.mark.requirement("k-of-n counts distinct key material over independent bundles")
def test_two_of_three() -> None:
    """Two bundles by two keys over the same files are two signers."""
    bundles = [oms.bundle(oms.statement(), key) for key in (A, B)]
    model = model_signing.verify_bundles(bundles, KEYS.needing(2))
    assert model.signers == {A.public_key.key_id, B.public_key.key_id}
    assert model.counted == (0, 1)
    assert model.problems == ()


@pytest.mark.requirement("the same key twice in a 2-of-n does not count twice")
def test_one_key_in_two_bundles_counts_once() -> None:
    """Two different bundles by one key are one signer."""
    bundles = [oms.bundle(oms.statement(), A), oms.bundle(oms.statement(), A)]
    assert bundles[0] != bundles[1]
    with pytest.raises(SignatureError, match="1 accepted signers"):
        model_signing.verify_bundles(bundles, KEYS.needing(2))


def test_bad_bundles_are_reported_and_do_not_spoil() -> None:
    """A met threshold stands; each bundle that did not count is named with its reason."""
    stranger = oms.signer(9)
    bundles = [
        b"not json",
        oms.bundle(oms.statement(), A),
        oms.bundle(oms.statement(OTHER_FILES), C),
        oms.bundle(oms.statement(), stranger),
        oms.bundle(oms.statement(), B),
    ]
    model = model_signing.verify_bundles(bundles, KEYS.needing(2))
    assert model.manifest.digest == MANIFEST.digest
    assert model.counted == (1, 4)
    assert [problem.split(":")[0] for problem in model.problems] == [
        "bundles[0]",
        "bundles[2]",
        "bundles[3]",
    ]
    assert "not valid JSON" in model.problems[0]
    assert manifest(OTHER_FILES.items()).digest in model.problems[1]
    assert "none of 3 accepted keys" in model.problems[2]


def test_signatures_over_different_files_do_not_add_up() -> None:
    """Two signers of two different models are one signer each."""
    bundles = [oms.bundle(oms.statement(), A), oms.bundle(oms.statement(OTHER_FILES), B)]
    with pytest.raises(SignatureError, match=r"bundles\[0\].*bundles\[1\]"):
        model_signing.verify_bundles(bundles, KEYS.needing(2))


def test_two_manifests_with_enough_signers_are_ambiguous() -> None:
    """Nothing is picked when two versions are fully signed."""
    bundles = [oms.bundle(oms.statement(), A), oms.bundle(oms.statement(OTHER_FILES), B)]
    with pytest.raises(SubjectMismatch, match="2 different manifests"):
        model_signing.verify_bundles(bundles, KEYS.needing(1))


def test_no_bundle_is_refused() -> None:
    """No bundle, no signer: never vacuously enough."""
    with pytest.raises(SignatureError, match="0 accepted signers"):
        model_signing.verify_bundles([], KEYS.needing(1))


@pytest.mark.parametrize(
    ("keys", "threshold"), [(KEYS.keys, 0), (KEYS.keys, 4), (KEYS.keys[:1] * 2, 2), ((), 1)]
)
def test_impossible_thresholds_are_refused(keys: tuple[PublicKey, ...], threshold: int) -> None:
    """Thresholds count distinct keys: a key listed twice is one."""
    signers = SignerSet(keys, threshold=threshold)
    with pytest.raises(InvalidInput, match="threshold"):
        model_signing.verify_bundles([oms.bundle(oms.statement(), A)], signers)


def test_too_many_bundles_are_refused() -> None:
    """The number of bundles is bounded."""
    with pytest.raises(InvalidInput, match="bundles"):
        model_signing.verify_bundles([b""] * (model_signing.BUNDLES_MAX + 1), KEYS.needing(1))


def test_single_bad_bundle_gives_its_own_error() -> None:
    """With one bundle there is no summary between a person and the reason."""
    with pytest.raises(InvalidInput, match="Sigstore bundle is not valid JSON"):
        model_signing.verify_bundles([b"{"], KEYS.needing(1))


@pytest.mark.requirement("P-521 and short RSA keys are refused")
def test_p521_signature_never_counts() -> None:
    """A bundle by a P-521 key cannot verify, because no such key is accepted."""
    key = ec.generate_private_key(ec.SECP521R1())
    with pytest.raises(InvalidInput, match="P-256 or P-384"):
        LocalSigner(key)


def serialization(**fields: Any) -> Change:
    return lambda value: value["predicate"]["serialization"].update(fields)


def resource(**fields: Any) -> Change:
    return lambda value: value["predicate"]["resources"][0].update(fields)


def files(names: list[str]) -> Change:
    """Replace the listed files, keeping the root true."""

    def change(value: dict[str, Any]) -> None:
        value.update(oms.statement({name: "01" * 32 for name in names}))

    return change


BAD_STATEMENTS: dict[str, Change] = {
    "zero subjects": lambda value: value.update(subject=[]),
    "two subjects": lambda value: value.update(subject=value["subject"] * 2),
    "unknown field": lambda value: value.update(extra=1),
    "unknown predicate field": lambda value: value["predicate"].update(annotations={}),
    "no serialization": lambda value: value["predicate"].pop("serialization"),
    "method shards": serialization(method="shards", shard_size=1000),
    "hash blake3": serialization(hash_type="blake3"),
    "symlinks followed": serialization(allow_symlinks=True),
    "allow_symlinks as text": serialization(allow_symlinks="false"),
    "unknown serialization field": serialization(follow=True),
    "ignores a file": serialization(ignore_paths=["tokenizer.json"]),
    "ignores everything": serialization(ignore_paths=["."]),
    "ignores git in another spelling": serialization(ignore_paths=["./.git"]),
    "ignores a number": serialization(ignore_paths=[1]),
    "ignore_paths as text": serialization(ignore_paths=".git"),
    "no resources": lambda value: value["predicate"].update(resources=[]),
    "resource without algorithm": lambda value: value["predicate"]["resources"][0].pop("algorithm"),
    "resource algorithm": resource(algorithm="sha1"),
    "resource digest short": resource(digest="00"),
    "resource digest upper case": resource(digest="AB" * 32),
    "resource digest with newline": resource(digest="01" * 32 + "\n"),
    "resource unknown field": resource(size=1),
    "resource name number": resource(name=1),
    "absolute name": files(["/etc/passwd"]),
    "name with parent": files(["../x"]),
    "name with dot": files(["./x"]),
    "name with backslash": files(["a\\b"]),
    "name with newline": files(["a\nb"]),
    "name not normalised": files(["e\u0301"]),
    "names differ in case only": files(["Model.bin", "model.bin"]),
    "listed and ignored": files([".git/config"]),
    "listed and ignored by name": files([".gitignore"]),
}


@pytest.mark.requirement("bad input: a clear error, no crash")
@pytest.mark.parametrize("change", BAD_STATEMENTS.values(), ids=BAD_STATEMENTS.keys())
def test_malformed_statement_is_refused(change: Change) -> None:
    """A signature does not excuse a list of files that could be read in two ways."""
    value = oms.statement()
    change(value)
    with pytest.raises(InvalidInput):
        model_signing.verify_bundle(oms.bundle(value, A), KEYS)


def test_name_listed_twice_is_refused() -> None:
    """One name with two digests would let the writer choose which one is true."""
    value = oms.statement()
    resources = value["predicate"]["resources"]
    resources[1]["name"] = resources[0]["name"]
    with pytest.raises(InvalidInput, match="collides"):
        model_signing.verify_bundle(oms.bundle(value, A), KEYS)


def test_subject_must_be_the_root_of_the_files() -> None:
    """A subject that is not the digest over the listed files contradicts them."""
    value = oms.statement()
    value["subject"][0]["digest"]["sha256"] = "00" * 32
    with pytest.raises(SubjectMismatch, match="root digest"):
        model_signing.verify_bundle(oms.bundle(value, A), KEYS)


@pytest.mark.requirement("right signature, wrong type: another predicate never counts")
def test_older_predicate_is_refused() -> None:
    """The format of the library's first releases, which lists files as subjects, is refused."""
    value = oms.statement()
    value["predicateType"] = "https://model_signing/Digests/v0.1"
    with pytest.raises(SubjectMismatch, match="predicateType"):
        model_signing.verify_bundle(oms.bundle(value, A), KEYS)


def test_allowed_ignore_paths_can_be_narrowed() -> None:
    """A caller that allows nothing to be ignored refuses the library's default list."""
    data = oms.bundle(oms.statement(), A)
    with pytest.raises(InvalidInput, match=r"\.git"):
        model_signing.verify_bundle(data, KEYS, accepted=model_signing.Accepted(ignore_paths=()))


def envelope(**fields: Any) -> Change:
    return lambda value: value["dsseEnvelope"].update(fields)


def material(**fields: Any) -> Change:
    return lambda value: value.update(verificationMaterial=fields)


HINT = {"hint": "x"}
BAD_BUNDLES: dict[str, Change] = {
    "wrong media type": lambda value: value.update(
        mediaType="application/vnd.dev.sigstore.bundle+json;version=0.3"
    ),
    "no media type": lambda value: value.pop("mediaType"),
    "unknown field": lambda value: value.update(extra=1),
    "message signature": lambda value: value.update(messageSignature={}),
    "no envelope": lambda value: value.pop("dsseEnvelope"),
    "no material": lambda value: value.pop("verificationMaterial"),
    "material list": lambda value: value.update(verificationMaterial=[]),
    "certificate": material(certificate={"rawBytes": ""}),
    "key and certificate": material(publicKey=HINT, certificate={"rawBytes": ""}),
    "key without hint": material(publicKey={}),
    "key with raw bytes": material(publicKey={**HINT, "rawBytes": ""}),
    "hint number": material(publicKey={"hint": 1}),
    "log entries": material(publicKey=HINT, tlogEntries=[{}]),
    "wrong payload type": envelope(payloadType="application/json"),
    "no signature": envelope(signatures=[]),
    "two signatures": envelope(signatures=[{"sig": "AAAA"}, {"sig": "AAAA"}]),
    "payload junk": envelope(payload="%%%%"),
}


@pytest.mark.requirement("bad input: a clear error, no crash")
@pytest.mark.parametrize("change", BAD_BUNDLES.values(), ids=BAD_BUNDLES.keys())
def test_malformed_bundle_is_refused(change: Change) -> None:
    """Anything but the exact form of a key-signed bundle is refused."""
    value = oms.bundle_object(json.dumps(oms.statement()).encode(), A)
    change(value)
    with pytest.raises(InvalidInput):
        model_signing.verify_bundle(json.dumps(value).encode(), KEYS)


def test_material_without_log_entries_verifies() -> None:
    """tlogEntries may be absent."""
    value = oms.bundle_object(json.dumps(oms.statement()).encode(), A)
    del value["verificationMaterial"]["tlogEntries"]
    model = model_signing.verify_bundle(json.dumps(value).encode(), KEYS)
    assert model.manifest.digest == MANIFEST.digest


def test_a_lying_hint_changes_nothing() -> None:
    """The hint neither helps a wrong key nor harms the right one."""
    value = oms.bundle_object(json.dumps(oms.statement()).encode(), A)
    value["verificationMaterial"]["publicKey"]["hint"] = "0" * 64
    data = json.dumps(value).encode()
    assert model_signing.verify_bundle(data, KEYS).signers == {A.public_key.key_id}
    with pytest.raises(SignatureError):
        model_signing.verify_bundle(data, SignerSet((B.public_key,)))


def test_huge_bundle_is_refused() -> None:
    """The size bound of evidence holds."""
    with pytest.raises(LimitExceeded):
        model_signing.verify_bundle(b" " * (limits.BUNDLE_BYTES + 1), KEYS)


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 10_000])
def test_signed_rubbish_is_refused(payload: bytes) -> None:
    """A true signature over something that is no statement is InvalidInput."""
    data = json.dumps(oms.bundle_object(payload, A)).encode()
    with pytest.raises(InvalidInput):
        model_signing.verify_bundle(data, KEYS)
