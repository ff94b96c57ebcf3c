"""OMS bundles under arbitrary and mutated input."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.errors import QuorateError
from quorate.evidence import model_signing
from quorate.evidence.signatures import SignerSet
from quorate.manifest import manifest
from tests.unit.evidence import oms

A, B = oms.signer(1), oms.signer(2)
KEYS = SignerSet((A.public_key, B.public_key))
SIGNED = oms.bundle(oms.statement(), A)
DIGEST = manifest(oms.FILES.items()).digest


def outcome(data: bytes) -> str | None:
    """The digest of the verified manifest, or None if it is refused in an orderly way."""
    try:
        return model_signing.verify_bundle(data, KEYS).manifest.digest
    except QuorateError:
        return None


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    """Bytes that nobody signed never verify and never crash."""
    assert outcome(data) is None


@given(st.binary(max_size=300))
@settings(max_examples=50)
def test_arbitrary_signed_payloads_never_crash(payload: bytes) -> None:
    """A trusted key that signs rubbish is refused in an orderly way."""
    assert outcome(json.dumps(oms.bundle_object(payload, A)).encode()) is None


def test_every_single_byte_mutation_is_refused_or_harmless() -> None:
    """No change of one byte makes a bundle verify for another list of files."""
    for index in range(len(SIGNED)):
        for flip in (0x01, 0x20):
            data = bytearray(SIGNED)
            data[index] ^= flip
            assert outcome(bytes(data)) in (None, DIGEST)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
keys = st.sampled_from(["name", "digest", "algorithm", "method", "sha256", "resources", "hint"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
)


def places(value: Any) -> Any:
    """Every (container, key) of a JSON document, outermost first."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


@given(st.integers(0, 60), values)
@settings(max_examples=150)
def test_foreign_values_in_a_signed_statement_never_crash(index: int, value: Any) -> None:
    """Any JSON value in any place of a signed statement is what is verified, or is refused."""
    document = oms.statement()
    found = list(places(document))
    holder, key = found[index % len(found)]
    holder[key] = value
    result = outcome(oms.bundle(document, A))
    if result is not None:
        listed = [(item["name"], item["digest"]) for item in document["predicate"]["resources"]]
        assert result == manifest(listed).digest


@given(st.integers(0, 60), values)
@settings(max_examples=150)
def test_foreign_values_in_a_bundle_never_crash(index: int, value: Any) -> None:
    """Any JSON value in any place of a bundle leaves the signed files, or is refused."""
    document = json.loads(SIGNED)
    found = list(places(document))
    holder, key = found[index % len(found)]
    holder[key] = value
    assert outcome(json.dumps(document).encode()) in (None, DIGEST)


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
hexes = st.binary(min_size=32, max_size=32).map(bytes.hex)


@given(st.dictionaries(names, hexes, min_size=1, max_size=8))
@settings(max_examples=150)
def test_a_signed_list_of_files_is_read_exactly_or_refused(files: dict[str, str]) -> None:
    """What verifies is the list that was signed, name by name; bad names are refused."""
    try:
        expected: str | None = manifest(files.items()).digest
    except QuorateError:
        expected = None
    assert outcome(oms.bundle(oms.statement(files), A)) in (expected, None)
    if expected and not any(name.startswith(".git") for name in files):
        assert outcome(oms.bundle(oms.statement(files), A)) == expected
