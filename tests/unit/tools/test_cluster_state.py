"""The cluster's record survives crashes or is recognised as broken."""

from pathlib import Path

import pytest

from tools.cluster.local import cgroups, inotify, removal, state

RECORD = state.ClusterState(
    name="quorate-0123abcd",
    checkout="/checkout",
    boot_id="boot",
    network="10.99.0.0/16",
    nodes=2,
    binaries="digest",
    complete=True,
)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    """The record comes back as it was, and nothing else is left in the folder."""
    state.save(tmp_path / "state.json", RECORD)
    assert state.load(tmp_path / "state.json") == RECORD
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_the_record_is_for_its_owner_only(tmp_path: Path) -> None:
    """Files of the cluster are not readable for other users."""
    state.save(tmp_path / "state.json", RECORD)
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "x"}', '{"unknown": 1}', "null", "3"])
def test_a_broken_record_counts_as_none(tmp_path: Path, text: str) -> None:
    """A record that cannot be read leads to a clean start, not to a traceback."""
    (tmp_path / "state.json").write_text(text)
    assert state.load(tmp_path / "state.json") is None


def test_bytes_that_are_no_text_count_as_none(tmp_path: Path) -> None:
    """A half-written block of a crashed disk is no record."""
    (tmp_path / "state.json").write_bytes(b"\xff\xfe\x00")
    assert state.load(tmp_path / "state.json") is None


def test_an_absent_record_is_none(tmp_path: Path) -> None:
    """No file, no cluster."""
    assert state.load(tmp_path / "state.json") is None


MOUNTINFO = r"""24 1 8:1 / / rw - ext4 /dev/vda rw
30 24 0:25 / /sys/fs/cgroup rw - tmpfs tmpfs rw
31 30 0:26 / /sys/fs/cgroup/pids rw,relatime shared:9 - cgroup cgroup rw,pids
32 30 0:27 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
33 30 0:28 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
40 24 0:30 / /state/x rw - tmpfs tmpfs rw
41 40 0:31 / /state/x/deep\040er rw - tmpfs tmpfs rw
42 24 0:32 / /state/xy rw - tmpfs tmpfs rw
"""


def test_only_version_1_hierarchies_are_listed() -> None:
    """The unified hierarchy beside them holds no controllers, so containers do not use it."""
    found = cgroups.parse_mounts(MOUNTINFO)
    assert found == [Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup/memory")]


def test_removal_looks_into_every_hierarchy() -> None:
    """runc leaves groups in the unified hierarchy too, and `down` must find them."""
    found = cgroups.parse_mounts(MOUNTINFO, ("cgroup", "cgroup2"))
    assert Path("/sys/fs/cgroup/unified") in found


def test_mounts_below_a_folder_come_deepest_first() -> None:
    """Only the folder's own mounts, in the order in which they can be unmounted."""
    found = removal.parse_mounts_below(MOUNTINFO, Path("/state/x"))
    assert found == ["/state/x/deep er", "/state/x"]


def test_the_inotify_limit_is_put_back_with_the_last_cluster(tmp_path: Path) -> None:
    """It stays raised while another cluster is there, and a second raise keeps the first record."""
    base, limit = tmp_path / "base", tmp_path / "limit"
    (base / "quorate-0").mkdir(parents=True)
    limit.write_text("128\n")
    inotify.raise_limit(base, limit)
    inotify.raise_limit(base, limit)
    inotify.restore_limit(base, limit)
    assert limit.read_text() == "1024"
    (base / "quorate-0").rmdir()
    inotify.restore_limit(base, limit)
    assert limit.read_text() == "128"
    assert list(base.iterdir()) == []


def test_a_limit_that_is_high_enough_is_left_alone(tmp_path: Path) -> None:
    """Nothing is written, so nothing is put back."""
    limit = tmp_path / "limit"
    limit.write_text("8192\n")
    inotify.raise_limit(tmp_path, limit)
    inotify.restore_limit(tmp_path, limit)
    assert limit.read_text() == "8192\n"


def test_a_limit_that_somebody_changed_since_is_left_alone(tmp_path: Path) -> None:
    """The last word belongs to the machine's owner."""
    limit = tmp_path / "limit"
    base = tmp_path / "base"
    base.mkdir()
    limit.write_text("128")
    inotify.raise_limit(base, limit)
    limit.write_text("4096")
    inotify.restore_limit(base, limit)
    assert limit.read_text() == "4096"
