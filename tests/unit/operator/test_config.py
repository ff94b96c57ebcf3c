import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from quorate.errors import QuorateError
from quorate.genesis import encode
from quorate_operator import config
from quorate_operator.supervision import ConfigChanged, watch_files
from tests.fakes.vouching import Committee
from tests.unit.operator.scene import injection_document

GENESIS = Committee().genesis


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """What the chart and the install Job mount."""
    (tmp_path / "genesis").mkdir()
    (tmp_path / "injection").mkdir()
    (tmp_path / "genesis" / "genesis.json").write_bytes(encode(GENESIS))
    (tmp_path / "genesis" / "digest").write_text(GENESIS.digest_text + "\n")
    document = injection_document(GENESIS.digest_text)
    del document["genesisDigest"]
    (tmp_path / "injection" / "injection.json").write_text(json.dumps(document))
    return tmp_path


def load(root: Path, **environment: str) -> config.Config:
    """Read the configuration under ``root``."""
    contents = config.files({"QUORATE_CONFIG": str(root)}).contents()
    return config.load(contents, environment)


def test_mounted_files_are_read(mounted: Path) -> None:
    """The injection configuration gets the digest of the mounted genesis."""
    found = load(mounted, QUORATE_POD_NAME="quorate-operator-7d-x", QUORATE_HEALTH_PORT="0")
    assert found.genesis == GENESIS
    assert found.injection.genesis_digest == GENESIS.digest_text
    assert found.member_url == "https://quorate-{member}.quorate-system.svc:8443"
    assert (found.identity, found.health_port) == ("quorate-operator-7d-x", 0)
    assert found.leaf_life == timedelta(days=30)


def test_what_the_release_before_injected_is_read_during_an_upgrade(mounted: Path) -> None:
    """Pods injected with it, and still gated, are released as the webhook admits them."""
    assert load(mounted).previous == ()
    document = injection_document(GENESIS.digest_text)
    del document["genesisDigest"]
    document["image"] = document["image"].replace("5" * 64, "4" * 64)
    (mounted / "injection" / "previous.json").write_text(json.dumps(document))
    (previous,) = load(mounted).previous
    assert previous.image.endswith("4" * 64)


def test_identity_without_a_pod_is_the_process(mounted: Path) -> None:
    """Two processes on one host must not take each other's Lease for their own."""
    assert load(mounted).identity.rpartition("-")[2].isdigit()


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda root: (root / "genesis" / "digest").write_text("sha256:0"), "digest"),
        (lambda root: (root / "genesis" / "genesis.json").unlink(), "genesis.json"),
        (lambda root: (root / "genesis" / "genesis.json").write_bytes(b"x" * 100_000), "bytes"),
        (lambda root: (root / "injection" / "injection.json").write_text("[]"), "injection"),
        (lambda root: (root / "injection" / "injection.json").write_text('{"a":1}'), "injection"),
    ],
    ids=["other digest", "no genesis", "huge genesis", "not an object", "unknown field"],
)
def test_what_cannot_be_used_is_named(mounted: Path, spoil: Any, named: str) -> None:
    """A wrong mount ends the process with the file or field in the message."""
    spoil(mounted)
    with pytest.raises(QuorateError, match=named):
        load(mounted)


@pytest.mark.parametrize("value", ["", "abc", "-1", "59", "1e3"])
def test_numbers_out_of_range_are_refused(mounted: Path, value: str) -> None:
    """A leaf that lives for no time would be rotated for ever."""
    with pytest.raises(QuorateError, match="QUORATE_LEAF_LIFE_SECONDS"):
        load(mounted, QUORATE_LEAF_LIFE_SECONDS=value)


async def test_changed_file_ends_the_process(mounted: Path) -> None:
    """What was read at the start is what counts; a file that is away for a moment is waited for."""
    files = config.files({"QUORATE_CONFIG": str(mounted)})
    contents = files.contents()
    path = mounted / "injection" / "injection.json"
    text = path.read_text()
    path.unlink()

    watching = asyncio.create_task(watch_files(files, contents, 0.001))
    await asyncio.sleep(0.02)
    path.write_text(text)
    await asyncio.sleep(0.02)
    assert not watching.done()
    path.write_text(text + "\n")
    with pytest.raises(ConfigChanged):
        await asyncio.wait_for(watching, 5)


def test_spares_are_told_in_their_order(mounted: Path) -> None:
    """As the chart writes them; none if it does not; nonsense is no start."""
    assert load(mounted).spares == ()
    told = [{"name": f"member-{n}", "failureDomain": "a"} for n in (6, 5)]
    found = load(mounted, QUORATE_SPARES=json.dumps({"spares": told})).spares
    assert [one.name for one in found] == ["member-6", "member-5"]
    for wrong in ("x", "[]", json.dumps({"spares": told + told[:1]}), json.dumps({"spare": []})):
        with pytest.raises(QuorateError):
            load(mounted, QUORATE_SPARES=wrong)
