"""Manifests: which names are allowed, and what the digest binds."""

import copy
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from quorate import limits
from quorate.errors import InvalidInput, LimitExceeded
from quorate.manifest import check_digest, check_name, differences, manifest, parse_manifest

A, B = "01" * 32, "02" * 32
FILES = {"config.json": A, "weights/model.safetensors": B}


def test_digest_is_of_the_canonical_document() -> None:
    """The digest is SHA-256 over one exact text, written out here so that no code can drift."""
    text = (
        '{"hash_type":"sha256","method":"files","resources":['
        f'{{"algorithm":"sha256","digest":"{A}","name":"config.json"}},'
        f'{{"algorithm":"sha256","digest":"{B}","name":"weights/model.safetensors"}}],'
        '"shard_size":null}'
    )
    expected = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    assert manifest(FILES.items()).digest == expected


def test_order_of_files_does_not_matter() -> None:
    """A manifest is a set of files."""
    assert manifest(reversed(FILES.items())).digest == manifest(FILES.items()).digest


@pytest.mark.requirement("the manifest digest binds file names")
def test_renaming_or_swapping_changes_the_digest() -> None:
    """Names are part of what is signed, unlike in the OMS root."""
    whole = manifest(FILES.items())
    renamed = manifest([("config.jsoo", A), ("weights/model.safetensors", B)])
    swapped = manifest([("config.json", B), ("weights/model.safetensors", A)])
    assert len({whole.digest, renamed.digest, swapped.digest}) == 3
    assert renamed.oms_root == whole.oms_root


def test_oms_root_orders_by_path_parts() -> None:
    """OMS compares paths part by part, so "a/x" comes before "a-b/x"."""
    root = hashlib.sha256(bytes.fromhex(A) + bytes.fromhex(B)).hexdigest()
    assert manifest([("a-b/x", B), ("a/x", A)]).oms_root == root


@pytest.mark.parametrize(
    "name",
    ["a", ".hidden", "a/b/c", "with space.bin", "größe.json", "a..b", "...", "模型/weights", "a:b"],
)
def test_plain_names_are_allowed(name: str) -> None:
    """Whatever names one file in one way is allowed, hidden files and other scripts too."""
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "/a", "a/", "a//b", ".", "..", "./a", "a/../b", "a/.", "\\a", "a\\b", "a\0b"),
        *("a\nb", "a\tb", "a\x7f", "a\u202eb", "a\u200bb", "e\u0301", "\u212b", "\ud800"),
        *("x" * (limits.FILE_NAME_BYTES + 1), "é" * (limits.FILE_NAME_BYTES // 2 + 1)),
    ],
)
@pytest.mark.requirement("bad names are refused")
def test_ambiguous_names_are_refused(name: str) -> None:
    """Names that leave the directory, hide something or have two spellings are InvalidInput."""
    with pytest.raises(InvalidInput):
        check_name(name)


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [("a", A), ("a", A)],
        [("a", A), ("a", B)],
        [("Model.bin", A), ("model.bin", A)],
        [("straße", A), ("STRASSE", A)],
        [("dir/a", A), ("DIR/A", A)],
        [("a", "")],
        [("a", A[:-1])],
        [("a", A + "0")],
        [("a", A.upper().replace("0", "A"))],
        [("a", A[:-1] + "\n")],
        [("a", "sha256:" + A)],
        [("a", "zz" * 32)],
    ],
)
def test_bad_lists_of_files_are_refused(entries: list[tuple[str, str]]) -> None:
    """No file, a file twice, names that collide without case, bad digests: InvalidInput."""
    with pytest.raises(InvalidInput):
        manifest(entries)


def test_number_of_files_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound holds while the list is read, not after."""
    monkeypatch.setattr(limits, "BUNDLE_FILES", 3)
    endless = ((str(index), A) for index in iter(int, 1))
    with pytest.raises(InvalidInput):
        manifest(endless)
    many = ((str(index), A) for index in range(1_000_000))
    with pytest.raises(LimitExceeded):
        manifest(many)


def test_document_round_trip() -> None:
    """The document a manifest gives is one it is read from."""
    whole = manifest(FILES.items())
    assert parse_manifest(whole.document).digest == whole.digest


Change = Callable[[dict[str, Any]], object]
BAD_DOCUMENTS: dict[str, Change] = {
    "unknown field": lambda value: value.update(x=1),
    "no method": lambda value: value.pop("method"),
    "shards": lambda value: value.update(method="shards"),
    "shard size": lambda value: value.update(shard_size=1000),
    "shard size zero": lambda value: value.update(shard_size=0),
    "other hash": lambda value: value.update(hash_type="blake3"),
    "resources object": lambda value: value.update(resources={}),
    "resources empty": lambda value: value.update(resources=[]),
    "resource string": lambda value: value["resources"].append("x"),
    "resource unknown field": lambda value: value["resources"][0].update(size=1),
    "resource without name": lambda value: value["resources"][0].pop("name"),
    "resource other algorithm": lambda value: value["resources"][0].update(algorithm="sha512"),
    "resource name number": lambda value: value["resources"][0].update(name=1),
    "resource digest null": lambda value: value["resources"][0].update(digest=None),
}


@pytest.mark.parametrize("change", BAD_DOCUMENTS.values(), ids=BAD_DOCUMENTS.keys())
def test_bad_documents_are_refused(change: Change) -> None:
    """Anything but the exact document is InvalidInput."""
    value = copy.deepcopy(manifest(FILES.items()).document)
    change(value)
    with pytest.raises(InvalidInput):
        parse_manifest(value)


@pytest.mark.parametrize("value", [None, [], "x", 1, True])
def test_other_values_are_no_manifest(value: object) -> None:
    """Only an object can be a manifest."""
    with pytest.raises(InvalidInput):
        parse_manifest(value)


@pytest.mark.parametrize(
    "digest",
    ["", "sha256:", A, f"sha256:{A[:-1]}", f"sha256:{A}0", f"SHA256:{A}", f"sha256:{A}\n"],
)
def test_bad_digests_are_refused(digest: str) -> None:
    """A digest has one spelling."""
    assert check_digest(f"sha256:{A}") == f"sha256:{A}"
    with pytest.raises(InvalidInput, match="here"):
        check_digest(digest, "here")


def test_differences_name_files() -> None:
    """Each kind of difference is named, and the list is bounded."""
    signed = manifest([("same", A), ("changed", A), ("missing", A)])
    found = manifest([("same", A), ("changed", B), ("added", A)])
    assert differences(signed, found) == [
        "missing: missing",
        "not signed: added",
        "changed: changed",
    ]
    assert differences(signed, signed) == []
    many = manifest((str(index), A) for index in range(20))
    lines = differences(signed, many)
    assert len(lines) == 6
    assert lines[-1] == "and 18 more"
