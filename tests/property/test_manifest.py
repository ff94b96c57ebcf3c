"""Manifests under arbitrary names, digests and documents."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from quorate.errors import QuorateError
from quorate.manifest import check_name, differences, manifest, parse_manifest

digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
plain = st.text("abcXYZ019._-", min_size=1, max_size=8).filter(lambda part: part.strip("."))
names = st.lists(plain, min_size=1, max_size=3).map("/".join)
files = st.dictionaries(names, digests, min_size=1, max_size=8).filter(
    lambda found: len({name.casefold() for name in found}) == len(found)
)


@given(st.text(max_size=30))
def test_a_name_is_allowed_unchanged_or_refused(name: str) -> None:
    """An allowed name stays inside the directory and is returned as it was."""
    try:
        assert check_name(name) == name
    except QuorateError:
        return
    assert name.isprintable() or " " in name or any(char.isspace() for char in name)
    assert not name.startswith("/")
    assert not {"", ".", ".."} & set(name.split("/"))


@given(files, files)
def test_digests_are_equal_only_for_equal_files(one: dict[str, str], two: dict[str, str]) -> None:
    """The digest and the differences agree about equality."""
    first, second = manifest(one.items()), manifest(two.items())
    assert (first.digest == second.digest) == (one == two)
    assert (differences(first, second) == []) == (one == two)
    assert len(differences(first, second)) <= 6


@given(files)
def test_document_round_trip(found: dict[str, str]) -> None:
    """Whatever a manifest writes is read back as the same manifest."""
    whole = manifest(found.items())
    assert parse_manifest(whole.document).files == whole.files


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | digests
keys = st.sampled_from(
    ["method", "hash_type", "shard_size", "resources", "name", "algorithm", "digest"]
)
documents = st.recursive(
    scalars | st.sampled_from(["files", "sha256"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=7),
    max_leaves=20,
)


@given(documents)
def test_arbitrary_documents_are_read_or_refused(document: Any) -> None:
    """Nothing but QuorateError comes out, and what is read is exactly what was written."""
    try:
        whole = parse_manifest(document)
    except QuorateError:
        return
    listed = {item["name"]: item["digest"] for item in document["resources"]}
    assert dict(whole.files) == listed


@given(files, st.sampled_from(["method", "hash_type", "shard_size", "resources"]), documents)
def test_good_documents_with_a_foreign_value_are_read_or_refused(
    found: dict[str, str], key: str, value: Any
) -> None:
    """Any JSON value in any top field is refused, or it was the right one."""
    document = manifest(found.items()).document
    expected = document[key]
    document[key] = value
    try:
        whole = parse_manifest(document)
    except QuorateError:
        return
    if key != "resources":
        assert value == expected
        assert whole.files == found
