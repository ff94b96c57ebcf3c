"""References, indexes and manifests of registries, under arbitrary and mutated input."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.errors import QuorateError
from quorate.evidence.oci import parse_artifact, parse_index, parse_reference
from quorate_io.registry import parse_credentials
from quorate_io.registry.challenge import parse_challenge, parse_token
from tests.unit.evidence.test_oci import DIGEST, INDEX, MANIFEST, encoded

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
fields = st.sampled_from(
    [
        *("schemaVersion", "mediaType", "artifactType", "manifests", "config", "layers"),
        *("subject", "digest", "size", "auths", "auth", "username", "password", "token"),
    ]
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(fields, inner, max_size=4),
    max_leaves=12,
)
PARSERS = (parse_index, parse_artifact, parse_credentials, parse_token)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_never_crash(data: bytes) -> None:
    """Every parser answers or refuses in an orderly way."""
    for parse in PARSERS:
        try:
            parse(data)
        except QuorateError:
            continue


@given(st.sampled_from([INDEX, MANIFEST]), fields, values)
@settings(max_examples=300)
def test_mutated_documents_never_crash(document: dict[str, Any], name: str, value: Any) -> None:
    """A field of any other kind is read or refused; what is read is by SHA-256."""
    try:
        data = encoded(document, **{name: value})
        found = parse_index(data) if document is INDEX else parse_artifact(data).layers
    except QuorateError:
        return
    assert all(entry.digest.startswith("sha256:") and entry.size >= 0 for entry in found)


@given(values)
def test_arbitrary_json_never_crashes(value: Any) -> None:
    """Well-formed JSON of another shape is refused in an orderly way."""
    for parse in PARSERS:
        try:
            parse(json.dumps(value).encode())
        except QuorateError:
            continue


@given(st.text(max_size=100))
def test_arbitrary_references_never_crash(text: str) -> None:
    """What is accepted is written back as it came, and holds no way out of its path."""
    for candidate in (text, f"{text}@{DIGEST}", f"ghcr.io/{text}@{DIGEST}"):
        try:
            reference = parse_reference(candidate)
        except QuorateError:
            continue
        assert str(reference) == candidate
        assert not set(reference.repository) & set("%?#@:\\ \n")
        assert ".." not in reference.repository


@given(st.text(max_size=200))
def test_arbitrary_challenges_never_crash(text: str) -> None:
    """A header is understood or not; it never raises."""
    for candidate in (text, f"Bearer {text}", f'Bearer realm="{text}"'):
        found = parse_challenge(candidate)
        assert found is None or found.scheme == "basic" or found.realm
