import json
from pathlib import Path
from typing import Any

import pytest

from quorate.errors import InvalidInput
from quorate_io.registry import RegistryRules
from quorate_operator.sources.settings import SourceSettings, load_sources, source_files


def loaded(root: Path, document: Any = None, **files: bytes) -> SourceSettings:
    """The settings in a directory as the chart mounts it."""
    (root / "evidence").mkdir()
    (root / "registry-credentials").mkdir()
    if document is not None:
        (root / "evidence" / "registries.json").write_text(json.dumps(document))
    if "authority" in files:
        (root / "evidence" / "ca.crt").write_bytes(files["authority"])
    if "docker_config" in files:
        (root / "registry-credentials" / ".dockerconfigjson").write_bytes(files["docker_config"])
    return load_sources(source_files(root).contents())


def test_without_files_no_registry_is_asked(tmp_path: Path) -> None:
    """As with a chart that names none."""
    assert load_sources(source_files(tmp_path).contents()).rules == RegistryRules()


def test_settings_are_read(tmp_path: Path) -> None:
    """Registries, those without TLS, hosts they may send on to, credentials, and how often."""
    found = loaded(
        tmp_path,
        {
            "registries": ["a.test", "b.test:5000"],
            "plainHTTP": ["b.test:5000"],
            "redirectHosts": ["store.test"],
            "refreshSeconds": 60,
        },
        docker_config=b'{"auths": {"a.test": {"username": "robot", "password": "s3cret"}}}',
    )
    assert found.rules.registries == {"a.test", "b.test:5000"}
    assert found.rules.plain_http == {"b.test:5000"}
    assert found.rules.redirect_hosts == {"store.test"}
    assert found.refresh == 60.0
    assert found.credentials.of("a.test") is not None


@pytest.mark.parametrize(
    "document",
    [
        {"registries": "a.test"},
        {"registries": ["https://a.test"]},
        {"registries": ["library"]},
        {"registries": ["*.test"]},
        {"registries": [1]},
        {"plainHTTP": ["a.test"]},
        {"refreshSeconds": 1},
        {"refreshSeconds": "60"},
        {"unknown": []},
        [],
    ],
)
def test_settings_that_cannot_be_used(tmp_path: Path, document: Any) -> None:
    """The operator does not begin with rules that nobody meant."""
    with pytest.raises(InvalidInput):
        loaded(tmp_path, document)


@pytest.mark.parametrize(
    "files", [{"authority": b"no certificate"}, {"docker_config": b"{"}, {"authority": b"\xff"}]
)
def test_files_that_cannot_be_used(tmp_path: Path, files: dict[str, bytes]) -> None:
    """Neither does it with half of its trust or none of its credentials."""
    with pytest.raises(InvalidInput):
        loaded(tmp_path, {}, **files)
