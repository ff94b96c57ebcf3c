"""The audit chain under arbitrary logs and arbitrary tampering."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.audit.chain import Chain, verify_lines
from quorate.audit.records import Body, Close, Deny, Open

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DIGEST = "sha256:" + "cd" * 32
words = st.text(max_size=40)


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[bytes], list[str]]:
    """A log as a writer could write it, and the ids left open at its end."""
    bodies: list[Body] = []
    pending: list[str] = []
    for number in range(draw(st.integers(1, 12))):
        name = f"r{number}"
        kind = draw(st.sampled_from(["open", "close", "deny"]))
        if kind == "close" and pending:
            done = pending.pop(draw(st.integers(0, len(pending) - 1)))
            bodies.append(Close(done, "denied", 403, draw(words), 1, 0, "", (), (), 2))
        elif kind == "deny":
            bodies.append(Deny(name, draw(words), 400, "Malformed", draw(words), 1, (), (), ""))
        else:
            pending.append(name)
            bodies.append(Open(name, draw(words), draw(words), True, 3, DIGEST, (), (), ""))
    chain = Chain()
    return [chain.extend(body, NOW) for body in bodies], pending


@settings(deadline=None)
@given(logs())
@pytest.mark.requirement("audit: the chain of an untouched log verifies")
def test_every_written_log_verifies(log: tuple[list[bytes], list[str]]) -> None:
    """What the chain writes, the verifier accepts, and it names exactly what is still open."""
    lines, pending = log
    report = verify_lines(lines, Chain())
    assert report.intact
    assert report.records == len(lines)
    assert list(report.interrupted) == pending


@settings(deadline=None)
@given(logs(), st.data())
@pytest.mark.requirement("audit: a changed record is found at its exact place")
def test_every_changed_byte_is_found(
    log: tuple[list[bytes], list[str]], data: st.DataObject
) -> None:
    """Any changed byte breaks the chain there or one line later, or changes the head."""
    lines, _ = log
    index = data.draw(st.integers(0, len(lines) - 1))
    at = data.draw(st.integers(0, len(lines[index]) - 2))
    flip = data.draw(st.integers(1, 255))
    line = bytearray(lines[index])
    line[at] ^= flip
    if b"\n" in line[:-1]:
        # A new line break makes two lines of one: still never a log that verifies.
        first, second = bytes(line).split(b"\n", 1)
        changed = [*lines[:index], first + b"\n", second, *lines[index + 1 :]]
    else:
        changed = [*lines[:index], bytes(line), *lines[index + 1 :]]
    whole, report = verify_lines(lines, Chain()), verify_lines(changed, Chain())
    if report.intact:
        assert index == len(lines) - 1
        assert report.head != whole.head
    else:
        assert report.broken is not None
        assert report.broken.index in (index, index + 1)


@settings(deadline=None)
@given(logs(), st.data())
def test_every_truncation_is_seen(log: tuple[list[bytes], list[str]], data: st.DataObject) -> None:
    """A file cut at any byte verifies up to its last whole line and says what hangs over."""
    lines, _ = log
    blob = b"".join(lines)
    cut = data.draw(st.integers(0, len(blob)))
    kept = blob[:cut].splitlines(keepends=True)
    report = verify_lines(kept, Chain())
    assert report.intact
    whole = [line for line in kept if line.endswith(b"\n")]
    assert report.records == len(whole)
    assert report.truncated_bytes == cut - sum(map(len, whole))


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=6))
def test_verifier_survives_anything(lines: list[bytes]) -> None:
    """Arbitrary bytes never raise."""
    report = verify_lines(lines)
    assert report.records <= len(lines)
