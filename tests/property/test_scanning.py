"""Looking at a directory: no difference goes unseen, and none is made up."""

import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from quorate_io.scanning import Mark, compare, marks_digest, scan_directory

NUMBERS = st.integers(min_value=0, max_value=2)
MARKS = st.dictionaries(
    st.sampled_from(["a", "b", "sub/c", "d\n"]),
    st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    max_size=4,
)


@given(MARKS, MARKS)
def test_a_difference_is_one_exactly_if_something_differs(
    before: dict[str, Mark], after: dict[str, Mark]
) -> None:
    """Written or touched, never neither; the same looks have the same digest, others do not."""
    found = compare(before, after)
    assert (found is None) == (before == after)
    assert (marks_digest(before) == marks_digest(after)) == (before == after)
    if found is not None:
        same_but_for_one_time = before.keys() == after.keys() and all(
            before[name][:4] == after[name][:4] for name in before
        )
        assert bool(found.touched or found.written)
        assert (not found.written) == same_but_for_one_time
        assert found.text()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "same", "add", "remove", "rename", "touch", "mode", "back"]),
        st.sampled_from(["config.json", "sub/weights.bin"]),
    ),
    min_size=1,
    max_size=4,
)


def do(folder: Path, step: str, name: str) -> None:
    """One change of a real file, as far as it is still there."""
    path = folder / name
    if not path.exists():
        return
    if step == "write":
        path.write_bytes(os.urandom(8))
    elif step == "same":
        path.write_bytes(path.read_bytes())
    elif step == "add":
        (folder / "added").write_bytes(b"x")
    elif step == "remove":
        path.unlink()
    elif step == "rename":
        path.rename(folder / "renamed")
    elif step == "touch":
        path.touch()
    elif step == "mode":
        path.chmod(0o600 if path.stat().st_mode & 0o044 else 0o644)
    else:
        before = path.stat()
        path.write_bytes(b"y" * before.st_size)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@settings(max_examples=60)
@given(STEPS)
def test_whatever_is_done_to_real_files_is_seen(steps: list[tuple[str, str]]) -> None:
    """Also what is undone again: times and inodes tell."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "sub").mkdir()
        for name in ("config.json", "sub/weights.bin"):
            (folder / name).write_bytes(b"12345678")
        before = scan_directory(folder)
        assert compare(before, scan_directory(folder)) is None
        # Times come in ticks of the kernel's clock.
        os.utime(folder / "config.json", ns=(0, 0))
        os.utime(folder / "sub" / "weights.bin", ns=(0, 0))
        before = scan_directory(folder)
        for step, name in steps:
            do(folder, step, name)
        found = compare(before, scan_directory(folder))
        if all(step in ("mode", "back") for step, _ in steps):
            # Within one tick even the time of change may stay.
            assert found is None or not found.written
        else:
            assert found is not None
            assert found.written
