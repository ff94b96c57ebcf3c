"""Sharded digests, through manifest, measuring and bundle: only as a policy allows."""

import hashlib
import os
import tracemalloc
from pathlib import Path

import pytest

from quorate.errors import EvidenceError, InvalidInput, LimitExceeded
from quorate.evidence.model_signing import Accepted, read_manifest, sign_model, verify_bundle
from quorate.evidence.signatures import SignerSet
from quorate.limits import KIB, MIB, SHARD_BYTES_MIN
from quorate.manifest import Manifest, manifest, parse_manifest, shard_name
from quorate_io.measuring import measure_directory
from tests.fakes.vouching import signer

SIZE = SHARD_BYTES_MIN
ZERO = "0" * 64


def measured(root: Path, shard_size: int | None = SIZE, workers: int = 3) -> Manifest:
    return measure_directory(
        root, workers=workers, progress=lambda _d, _t: None, shard_size=shard_size
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    (root / "a").mkdir(parents=True)
    (root / "a" / "weights").write_bytes(os.urandom(2 * SIZE + 5))
    (root / "a-b").write_bytes(os.urandom(SIZE))
    (root / "empty").write_bytes(b"")
    return root


@pytest.mark.requirement("sharded digests")
def test_shards_cover_every_file_once(model: Path) -> None:
    """Each shard is hashed by itself; the last one ends where the file does."""
    found = measured(model)
    assert set(found.files) == {
        shard_name("a-b", 0, SIZE),
        shard_name("a/weights", 0, SIZE),
        shard_name("a/weights", SIZE, 2 * SIZE),
        shard_name("a/weights", 2 * SIZE, 2 * SIZE + 5),
        "empty:0:0",
    }
    data = (model / "a" / "weights").read_bytes()[SIZE : 2 * SIZE]
    digest = hashlib.sha256(data).hexdigest()
    assert found.files[shard_name("a/weights", SIZE, 2 * SIZE)] == digest
    assert (found.file_count, found.method) == (3, "shards")
    assert found.digest == measured(model, workers=1).digest
    assert found.digest != measured(model, None).digest
    assert parse_manifest(found.document) == found


@pytest.mark.requirement("sharded digests only if the policy says so")
def test_a_policy_names_the_sizes(model: Path) -> None:
    """A signature over shards counts only where its size is accepted."""
    key = signer()
    signers = SignerSet((key.public_key,))
    found = measured(model)
    bundle = sign_model(found, "demo", key)
    assert read_manifest(bundle) == found
    accepted = Accepted(shard_sizes=(SIZE,))
    assert verify_bundle(bundle, signers, accepted=accepted).manifest.digest == found.digest
    for other in (Accepted(), Accepted(shard_sizes=(2 * SIZE,))):
        with pytest.raises(InvalidInput, match="not accepted"):
            verify_bundle(bundle, signers, accepted=other)


BAD = {
    "a hole": [("f", 0, SIZE), ("f", 2 * SIZE, 3 * SIZE)],
    "a late start": [("f", SIZE, 2 * SIZE)],
    "an overlap": [("f", 0, SIZE), ("f", SIZE - 1, 2 * SIZE)],
    "too long": [("f", 0, SIZE + 1)],
    "short within": [("f", 0, SIZE - 1), ("f", SIZE, SIZE + 1)],
    "empty last": [("f", 0, SIZE), ("f", SIZE, SIZE)],
    "backwards": [("f", 0, SIZE), ("f", SIZE, SIZE - 1)],
    "other case": [("f", 0, SIZE), ("F", SIZE, 2 * SIZE)],
    "colon in the name": [("a:b", 0, 5)],
    "parent": [("../f", 0, 5)],
    "not normalised": [("e\u0301", 0, 5)],
}


@pytest.mark.parametrize("shards", BAD.values(), ids=BAD.keys())
def test_shards_that_could_hide_bytes_are_refused(shards: list[tuple[str, int, int]]) -> None:
    """Holes, overlaps and names that two readers split differently are no manifest."""
    with pytest.raises(InvalidInput):
        manifest(((shard_name(*shard), ZERO) for shard in shards), SIZE)


@pytest.mark.parametrize("name", ["f", "f:0", "f:0:05", "f:-1:5", "f:0:5:", ":0:5", "f:\uff10:5"])
def test_shards_have_one_spelling(name: str) -> None:
    """A shard's name is FILE:START:END in plain decimal digits."""
    with pytest.raises(InvalidInput):
        manifest([(name, ZERO)], SIZE)


@pytest.mark.parametrize("size", [0, 1, SIZE - 1, 2**50])
def test_shard_sizes_are_bounded(size: int, model: Path) -> None:
    """Tiny shards would make a list as long as the model."""
    with pytest.raises(InvalidInput, match="shard_size"):
        manifest([("f:0:1", ZERO)], size)
    with pytest.raises(InvalidInput, match="shard_size"):
        measured(model, size)


def test_one_changed_byte_changes_its_shard_only(model: Path) -> None:
    """The difference names the shard."""
    before = measured(model)
    path = model / "a" / "weights"
    data = bytearray(path.read_bytes())
    data[SIZE + 1] ^= 1
    path.write_bytes(data)
    after = measured(model)
    assert before.digest != after.digest
    changed = [name for name in before.files if before.files[name] != after.files[name]]
    assert changed == [shard_name("a/weights", SIZE, 2 * SIZE)]


def test_a_file_that_changes_between_its_shards_is_refused(model: Path) -> None:
    """Half of one version and half of another is no version."""
    path = model / "a" / "weights"

    def interfere(done: int, total: int) -> None:
        if done and path.stat().st_size != 5:
            path.write_bytes(b"12345")

    with pytest.raises(EvidenceError):
        measure_directory(model, workers=1, progress=interfere, shard_size=SIZE)


@pytest.mark.requirement("files of 100 GB: streamed, bounded memory, parallel")
def test_a_large_sparse_file_is_streamed_by_all_workers(tmp_path: Path) -> None:
    """A file far larger than any buffer: the same digests by one worker and by four."""

    size = 256 * MIB
    with (tmp_path / "weights").open("wb") as file:
        file.truncate(size)
        file.seek(size - 3)
        file.write(b"end")
    seen: list[int] = []
    tracemalloc.start()
    found = measure_directory(
        tmp_path, workers=4, progress=lambda done, _: seen.append(done), shard_size=32 * MIB
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.files) == 8
    assert seen == sorted(seen)
    assert seen[-1] == size
    assert peak < 16 * MIB


@pytest.mark.requirement("directories of 100,000 files: bounded memory and number")
def test_many_small_files(tmp_path: Path) -> None:
    """Thousands of files take memory by the file, not by the waiting task, and are all there."""

    count = 3000
    for index in range(count):
        (tmp_path / f"{index:05}").write_bytes(index.to_bytes(4, "big"))
    tracemalloc.start()
    found = measure_directory(tmp_path, workers=4, progress=lambda _d, _t: None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.files) == count
    assert peak < count * 2 * KIB + 8 * MIB


def test_more_shards_than_a_manifest_lists_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of shards is bounded like the number of files."""
    monkeypatch.setattr("quorate.limits.BUNDLE_SHARDS", 2)
    shards = ((shard_name("f", i * SIZE, (i + 1) * SIZE), ZERO) for i in range(3))
    with pytest.raises(LimitExceeded):
        manifest(shards, SIZE)
