import json
from typing import Any

import pytest

from quorate import limits
from quorate.errors import InvalidInput, LimitExceeded
from quorate.evidence.oci import (
    EMPTY_TYPE,
    INDEX_TYPE,
    MANIFEST_TYPE,
    parse_artifact,
    parse_index,
    parse_reference,
)

DIGEST = f"sha256:{'a' * 64}"
ENTRY = {"mediaType": MANIFEST_TYPE, "digest": DIGEST, "size": 3, "artifactType": "a/b"}
INDEX = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [ENTRY]}
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": MANIFEST_TYPE,
    "artifactType": "a/b",
    "config": {"mediaType": EMPTY_TYPE, "digest": DIGEST, "size": 2},
    "layers": [{"mediaType": "a/b", "digest": DIGEST, "size": 9}],
    "subject": {"mediaType": MANIFEST_TYPE, "digest": DIGEST, "size": 7},
}


def encoded(document: dict[str, Any], **changes: Any) -> bytes:
    """The document with changes; None takes a field away."""
    changed = document | changes
    return json.dumps({k: v for k, v in changed.items() if v is not None}).encode()


@pytest.mark.parametrize(
    ("text", "registry", "repository"),
    [
        (f"ghcr.io/team/model@{DIGEST}", "ghcr.io", "team/model"),
        (f"registry.test:5000/m@{DIGEST}", "registry.test:5000", "m"),
        (f"127.0.0.1:5000/a/b__c/d-e@{DIGEST}", "127.0.0.1:5000", "a/b__c/d-e"),
        (f"localhost/m@{DIGEST}", "localhost", "m"),
    ],
)
def test_references_name_registry_repository_and_digest(
    text: str, registry: str, repository: str
) -> None:
    """What is read is what was written."""
    reference = parse_reference(text)
    assert (reference.registry, reference.repository, reference.digest) == (
        registry,
        repository,
        DIGEST,
    )
    assert str(reference) == text
    assert reference.fallback_tag == DIGEST.replace(":", "-")


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"model@{DIGEST}",
        f"library/model@{DIGEST}",
        f"ghcr.io/team/model:v1@{DIGEST}",
        "ghcr.io/team/model:v1",
        f"ghcr.io/team/../other@{DIGEST}",
        f"ghcr.io//model@{DIGEST}",
        f"ghcr.io/team/model@{DIGEST[:-1]}",
        f"ghcr.io/team/model@sha512:{'a' * 128}",
        f"user@evil.test/model@{DIGEST}",
        f"user:password@evil.test/model@{DIGEST}",
        f"https://ghcr.io/model@{DIGEST}",
        f"GHCR.IO/model@{DIGEST}",
        f"ghcr.io/Model@{DIGEST}",
        f"ghcr.io:0/model@{DIGEST}",
        f"ghcr.io:99999/model@{DIGEST}",
        f"ghcr.io/model@{DIGEST}\n",
        f"ghcr.io/model?x=@{DIGEST}",
        f"ghcr.io/model%2f..@{DIGEST}",
        f"[::1]:5000/model@{DIGEST}",
        f"ghcr.io/{'m' * 600}@{DIGEST}",
    ],
)
def test_other_references_are_refused(text: str) -> None:
    """Nothing is guessed: no default registry, no tag, no user, no other spelling."""
    with pytest.raises(InvalidInput):
        parse_reference(text)


def test_an_index_and_a_manifest() -> None:
    """Entries, subject, layers and types are what the documents say."""
    (entry,) = parse_index(encoded(INDEX))
    assert (entry.media_type, entry.digest, entry.size) == (MANIFEST_TYPE, DIGEST, 3)
    assert entry.artifact_type == "a/b"
    artifact = parse_artifact(encoded(MANIFEST))
    assert artifact.artifact_type == "a/b"
    assert artifact.subject is not None
    assert artifact.subject.size == 7
    assert [layer.size for layer in artifact.layers] == [9]


def test_the_config_says_the_type_where_nothing_else_does() -> None:
    """As registries before artifactType had it."""
    assert parse_artifact(encoded(MANIFEST, artifactType=None)).artifact_type == EMPTY_TYPE


def test_entries_nobody_here_can_check_are_left_out() -> None:
    """A digest by another algorithm is no digest that was checked."""
    other = ENTRY | {"digest": f"sha512:{'a' * 128}"}
    assert len(parse_index(encoded(INDEX, manifests=[other, ENTRY]))) == 1
    with pytest.raises(InvalidInput):
        parse_artifact(encoded(MANIFEST, subject=other))


@pytest.mark.parametrize(
    "changes",
    [
        {"schemaVersion": 1},
        {"schemaVersion": None},
        {"mediaType": MANIFEST_TYPE},
        {"manifests": None},
        {"manifests": {}},
        {"manifests": ["x"]},
        {"manifests": [ENTRY | {"digest": None}]},
        {"manifests": [ENTRY | {"size": -1}]},
        {"manifests": [ENTRY | {"size": True}]},
        {"manifests": [ENTRY | {"size": "3"}]},
        {"manifests": [ENTRY | {"mediaType": 7}]},
        {"manifests": [ENTRY | {"artifactType": "a\nb"}]},
    ],
)
def test_malformed_indexes(changes: dict[str, Any]) -> None:
    """Each is refused with the field it is about."""
    with pytest.raises(InvalidInput):
        parse_index(encoded(INDEX, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"mediaType": INDEX_TYPE},
        {"config": None},
        {"layers": None},
        {"subject": "x"},
        {"subject": {}},
        {"layers": [MANIFEST["config"]] * (limits.DOCUMENTS_PER_SOURCE + 1)},
    ],
)
def test_malformed_manifests(changes: dict[str, Any]) -> None:
    """Each is refused, also one with more layers than a source may hold."""
    with pytest.raises(InvalidInput):
        parse_artifact(encoded(MANIFEST, **changes))


def test_an_index_beyond_the_bound() -> None:
    """Bytes are counted before they are parsed."""
    with pytest.raises(LimitExceeded):
        parse_index(b" " * (limits.OCI_INDEX_BYTES + 1))
