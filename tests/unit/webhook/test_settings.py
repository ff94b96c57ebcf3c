"""The command line and the mounted files: refused at start if they cannot be meant."""

import json
from pathlib import Path
from typing import Any

import pytest

from quorate.errors import QuorateError
from quorate_webhook.settings import (
    Address,
    parse_address,
    parse_arguments,
    read_genesis,
    read_injections,
)
from tests.bench.webhook.files import write_installation
from tests.unit.admission.world import World

WORLD = World()
NEEDED = ["--tls-dir=t", "--genesis-dir=g", "--injection=i.json"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":8443", Address(None, 8443)),
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
        ("[::1]:443", Address("::1", 443)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    """Every address, one address, IPv6."""
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["8443", "", ":", ":x", ":70000", "host:", ":-1", ":\u0663"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """Rather than listening somewhere else."""
    with pytest.raises(QuorateError):
        parse_address(text)


def test_the_charts_command_line_is_enough() -> None:
    """Three options; the rest has defaults."""
    settings = parse_arguments(NEEDED)
    assert (settings.listen, settings.health) == (Address(None, 8443), Address(None, 9902))
    assert settings.kubeconfig is None
    assert settings.stale_seconds == 120


@pytest.mark.parametrize("option", ["--stale-seconds=5", "--drain-seconds=-1", "--listen=x"])
def test_settings_have_bounds(option: str) -> None:
    """A bound below the time between two signs of life would deny everything."""
    with pytest.raises(QuorateError):
        parse_arguments([*NEEDED, option])


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    write_installation(tmp_path, WORLD)
    return tmp_path


def test_mounted_files_are_read(mounted: Path) -> None:
    """The genesis by its digest; the injection completed with it."""
    genesis = read_genesis(mounted)
    assert genesis == WORLD.committee.genesis
    (config,) = read_injections(mounted / "injection.json", genesis)
    assert config == WORLD.snapshot.injection


def test_the_release_before_is_read_if_it_is_there(mounted: Path) -> None:
    """During an upgrade pods of the last release may still be released."""
    path = mounted / "injection.json"
    image = f"r/sidecar@sha256:{'6' * 64}"
    document = json.loads(path.read_text()) | {"image": image}
    (mounted / "previous.json").write_text(json.dumps(document))
    current, previous = read_injections(path, WORLD.committee.genesis)
    assert current == WORLD.snapshot.injection
    assert previous.image == image


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("digest", f"sha256:{'0' * 64}"),
        ("digest", ""),
        ("genesis.json", "{}"),
        ("genesis.json", "x" * 100_000),
        ("injection.json", "[]"),
        ("injection.json", '{"image":"a","image":"b"}'),
        ("injection.json", "x" * 100_000),
        ("injection.json", None),
        ("previous.json", "{}"),
    ],
)
def test_files_that_cannot_be_meant_are_refused(mounted: Path, name: str, content: Any) -> None:
    """Another genesis, an unknown field, a file too large or absent."""
    path = mounted / name
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    with pytest.raises(QuorateError):
        read_injections(mounted / "injection.json", read_genesis(mounted))
