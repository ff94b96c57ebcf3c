"""The audit writer: every record or an error, through rotation, crashes and full disks."""

import errno
import os
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from quorate.audit.chain import Chain, Report, verify_lines
from quorate.audit.records import Deny
from quorate.errors import InvalidInput
from quorate_sidecar.audit_log import AuditLog
from quorate_sidecar.audit_writer import AuditWriter, Owner, audit_files, flush
from quorate_sidecar.metrics import Metrics
from quorate_sidecar.refusal import Code, Refusal
from quorate_sidecar.standing import Standing
from tests.unit.sidecar.world import Hands

OWNER = Owner("team", "pod-0", "uid-0", "sha256:" + "0" * 64)


def record(number: int = 0) -> Deny:
    return Deny(f"req_{number}", "/v1/chat/completions", 403, "ContentDenied", "no", 9, (), (), "")


def writer(directory: Path, **bounds: int) -> AuditWriter:
    return AuditWriter(directory, OWNER, Hands(), **bounds)


def taken(directory: Path) -> int:
    """Bytes of all files."""
    return sum(path.stat().st_size for path in audit_files(directory))


def report(directory: Path, chain: Chain | None = None) -> Report:
    files = [path.read_bytes() for path in audit_files(directory)]
    lines = [line for data in files for line in data.splitlines(keepends=True)]
    return verify_lines(lines, chain)


def test_records_make_a_chain(tmp_path: Path) -> None:
    """A head, then every record, and the writer knows the last hash."""
    log = writer(tmp_path)
    log.open()
    for number in range(5):
        log.append(record(number))
    found = report(tmp_path, Chain())
    assert found.intact
    assert found.counts == {"head": 1, "deny": 5}
    assert found.head == log.head


@pytest.mark.requirement("audit: rotation keeps the chain and bounds the size")
def test_rotation_keeps_the_chain(tmp_path: Path) -> None:
    """Files are bounded, each and together; what is left verifies from its first record on."""
    log = writer(tmp_path, file_bytes=2000, log_bytes=8000)
    log.open()
    for number in range(100):
        log.append(record(number))
        assert taken(tmp_path) <= 8000
    assert all(path.stat().st_size < 3000 for path in audit_files(tmp_path))
    assert taken(tmp_path) > 3000
    found = report(tmp_path)
    assert found.intact
    assert found.head == log.head
    assert found.first_seq is not None
    assert found.first_seq > 0


@pytest.mark.requirement("audit: rotation keeps the chain and bounds the size")
def test_restarts_keep_the_log_within_its_bound(tmp_path: Path) -> None:
    """A writer that starts over and over, each time with a new file, makes room too."""
    for number in range(60):
        log = writer(tmp_path, file_bytes=2000, log_bytes=8000)
        log.open()
        log.append(record(number))
        log.close()
        assert taken(tmp_path) <= 8000
    assert report(tmp_path).intact
    assert len(audit_files(tmp_path)) > 3


@pytest.mark.requirement("audit: a log survives the crash of its writer")
def test_new_writer_continues_the_chain(tmp_path: Path) -> None:
    """A restart begins a new file behind the old one, also if nothing was closed."""
    for number in range(3):
        log = writer(tmp_path)
        log.open()
        log.append(record(number))
    found = report(tmp_path, Chain())
    assert found.intact
    assert (found.counts, len(audit_files(tmp_path))) == ({"head": 3, "deny": 3}, 3)


@pytest.mark.parametrize("kept", range(1, 60, 7))
@pytest.mark.requirement("audit: a log survives the crash of its writer")
def test_crash_in_the_middle_of_a_record(tmp_path: Path, kept: int) -> None:
    """Whatever part of the last record is there, the chain goes on behind it."""
    log = writer(tmp_path)
    log.open()
    log.append(record())
    path = audit_files(tmp_path)[-1]
    whole = path.read_bytes()
    log.append(record(1))
    path.write_bytes(whole + path.read_bytes()[len(whole) :][:kept])
    again = writer(tmp_path)
    again.open()
    again.append(record(2))
    found = report(tmp_path, Chain())
    assert found.intact, found.broken
    assert found.counts == {"head": 2, "deny": 2}


@pytest.mark.parametrize("content", [b"", b'{"seq":'])
def test_crash_in_the_middle_of_a_head(tmp_path: Path, content: bytes) -> None:
    """A file without one whole record says nothing, and goes."""
    log = writer(tmp_path)
    log.open()
    log.append(record())
    (tmp_path / "audit-00000001.jsonl").write_bytes(content)
    again = writer(tmp_path)
    again.open()
    assert report(tmp_path, Chain()).intact
    assert len(audit_files(tmp_path)) == 2


def test_log_that_cannot_be_read_is_not_continued(tmp_path: Path) -> None:
    """A damaged end is an error that says what to do, not a new beginning."""
    log = writer(tmp_path)
    log.open()
    audit_files(tmp_path)[-1].write_bytes(b"not a record\n")
    with pytest.raises(InvalidInput, match="move the audit files away"):
        writer(tmp_path).open()


def test_unopened_log_refuses(tmp_path: Path) -> None:
    """No record is lost by being written nowhere."""
    with pytest.raises(OSError, match="not open"):
        writer(tmp_path).append(record())


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """Rotation deletes its own files only."""
    (tmp_path / "notes.txt").write_text("keep")
    log = writer(tmp_path, file_bytes=500, log_bytes=1000)
    log.open()
    for number in range(20):
        log.append(record(number))
    assert (tmp_path / "notes.txt").read_text() == "keep"
    assert len(audit_files(tmp_path)) == 1


def test_flush_brings_finished_files_to_the_disk_and_closes_them(tmp_path: Path) -> None:
    """No descriptor is left behind."""
    before = len(os.listdir("/proc/self/fd"))
    log = writer(tmp_path, file_bytes=500)
    log.open()
    for number in range(20):
        log.append(record(number))
    flush(log.unflushed())
    flush(log.unflushed())
    log.close()
    log.close()
    assert len(os.listdir("/proc/self/fd")) == before
    assert log.unflushed() == []


class Disk:
    """``os.write`` on a disk that is full, or becomes so within a record."""

    def __init__(self, takes: int | None) -> None:
        self.takes = takes
        self.real = os.write

    def __call__(self, fd: int, data: bytes) -> int:
        if self.takes is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.real(fd, data[: self.takes])


def opened(tmp_path: Path) -> tuple[AuditLog, Standing]:
    standing = Standing(Hands())
    log = AuditLog(writer(tmp_path), standing, Metrics(CollectorRegistry()))
    log.open()
    log.write(record(1))
    return log, standing


@pytest.mark.parametrize("takes", [None, 0, 10])
@pytest.mark.requirement("audit: a record that cannot be written denies the next requests")
def test_full_disk_denies_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes: int | None
) -> None:
    """The request whose record fails is refused, the pod lapses, and recovers with an unbroken
    chain."""
    log, standing = opened(tmp_path)
    with monkeypatch.context() as full:
        full.setattr("quorate_sidecar.audit_writer.os.write", Disk(takes))
        for _ in range(2):
            with pytest.raises(Refusal) as refused:
                log.write(record(2))
            assert refused.value.code is Code.AUDIT
        assert standing.audit_failure
        log.open()
        assert standing.audit_failure
    log.open()
    assert standing.audit_failure == ""
    log.write(record(3))
    log.close()
    found = report(tmp_path, Chain())
    assert found.intact, found.broken
    assert found.counts["deny"] == 2


@pytest.mark.requirement("audit: a claim that cannot be written is named in the refusal")
@pytest.mark.parametrize("code", [errno.EACCES, errno.ENOSPC, errno.EIO])
def test_claim_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """The refusal of a request names the claim; of one without permission, what its owner does."""
    standing = Standing(Hands())
    log = AuditLog(writer(tmp_path), standing, Metrics(CollectorRegistry()), claim="records")

    def refuse(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("quorate_sidecar.audit_writer.os.open", refuse)
    log.open()
    with pytest.raises(Refusal) as refused:
        log.write(record(1))
    for said in (standing.audit_failure, refused.value.message):
        assert "claim records" in said
    assert ("group 65532" in standing.audit_failure) is (code == errno.EACCES)


def test_directory_that_is_none_denies(tmp_path: Path) -> None:
    """A volume that cannot be written to is a lapse from the start."""
    (tmp_path / "file").write_text("x")
    standing = Standing(Hands())
    log = AuditLog(writer(tmp_path / "file" / "audit"), standing, Metrics(CollectorRegistry()))
    log.open()
    assert standing.audit_failure
