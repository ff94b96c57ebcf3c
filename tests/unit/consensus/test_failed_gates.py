"""The memory of failed gates: newest of each, bounded by scope, on disk whole or not at all."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from quorate.errors import InvalidInput
from quorate.evidence.intoto import Outcome, read_document
from quorate.keys import LocalSigner
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.gates import Failure
from quorate_consensus import failed_gates
from quorate_consensus.failed_gate_files import FailedGateFiles
from quorate_consensus.failed_gates import FailedGates
from quorate_consensus.relay import read_policy
from tests.fakes.vouching import NOW, gate, gate_result, model_files, policy, signer

LAB = signer()
FILES = model_files()


def compiled(name: str = "floor", namespace: str | None = None) -> CompiledPolicy:
    return read_policy(policy({"model": {"gates": [gate(LAB)]}}, name=name, namespace=namespace))


FLOOR = compiled()


def failure(
    age: timedelta = timedelta(hours=1), name: str = "red-team", key: LocalSigner = LAB
) -> Failure:
    text = gate_result(FILES, key, result=Outcome.FAILED, finished_at=NOW - age)
    return Failure(f"Gate/{name}", NOW - age, read_document(text.encode()))


def test_the_newest_of_each_gate_is_kept() -> None:
    """An older failure of the same gate and model adds nothing."""
    memory = FailedGates()
    newer, older = failure(timedelta(hours=1)), failure(timedelta(hours=2))
    for one in (older, newer, older):
        memory.remember(FLOOR, FILES.digest, (one,), NOW)
    assert memory.about(FLOOR, FILES.digest) == (newer.document,)
    memory.remember(FLOOR, FILES.digest, (failure(name="bias"),), NOW)
    assert len(memory.about(FLOOR, FILES.digest)) == 2


def test_scopes_are_apart() -> None:
    """What fails a tenant's own policy is nothing to the platform's or another tenant's."""
    memory = FailedGates()
    memory.remember(compiled(namespace="a"), FILES.digest, (failure(),), NOW)
    assert memory.about(compiled("other", "a"), FILES.digest)
    assert not memory.about(compiled(namespace="b"), FILES.digest)
    assert not memory.about(FLOOR, FILES.digest)
    assert not memory.about(compiled(namespace="a"), model_files("9").digest)


@pytest.mark.parametrize(
    ("age", "kept"),
    [
        (timedelta(seconds=-29), True),
        (timedelta(seconds=-31), False),
        (timedelta(days=365), True),
        (timedelta(days=366), False),
    ],
)
def test_what_cannot_matter_is_not_kept(age: timedelta, kept: bool) -> None:
    """Neither what is older than any gate accepts, nor what is dated ahead."""
    memory = FailedGates()
    memory.remember(FLOOR, FILES.digest, (failure(age),), NOW)
    assert bool(memory.about(FLOOR, FILES.digest)) is kept


def test_sweeping_forgets_what_ended() -> None:
    """A failure is kept for as long as a pass before it could count."""
    memory = FailedGates()
    memory.remember(FLOOR, FILES.digest, (failure(timedelta(0)),), NOW)
    memory.sweep(NOW + timedelta(days=366) - timedelta(seconds=1))
    assert len(memory) == 1
    memory.sweep(NOW + timedelta(days=366))
    assert len(memory) == 0
    assert memory.about(FLOOR, FILES.digest) == ()


@pytest.mark.requirement("bounds on the memory of failed gates")
def test_a_namespace_fills_its_own_room_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest of the namespace goes first; cluster policies and others lose nothing."""
    monkeypatch.setattr(failed_gates, "NAMESPACE_BYTES", 10_000)
    memory = FailedGates()
    memory.remember(FLOOR, FILES.digest, (failure(timedelta(days=9)),), NOW)
    memory.remember(compiled(namespace="b"), FILES.digest, (failure(timedelta(days=9)),), NOW)
    tenants = compiled(namespace="a")
    for hours in range(50):
        digest = f"sha256:{hours:064x}"
        memory.remember(tenants, digest, (failure(timedelta(hours=50 - hours)),), NOW)
    assert memory.about(FLOOR, FILES.digest)
    assert memory.about(compiled(namespace="b"), FILES.digest)
    assert not memory.about(tenants, f"sha256:{0:064x}")
    assert memory.about(tenants, f"sha256:{49:064x}")
    assert len(memory) < 10


@pytest.mark.requirement("bounds on the memory of failed gates")
def test_all_namespaces_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many namespaces cannot fill the member's memory either."""
    monkeypatch.setattr(failed_gates, "NAMESPACES_BYTES", 10_000)
    memory = FailedGates()
    for number in range(40):
        memory.remember(compiled(namespace=f"n{number}"), FILES.digest, (failure(),), NOW)
    assert len(memory) < 10


@pytest.mark.requirement("bounds on the memory of failed gates")
def test_statements_about_one_model_are_bounded() -> None:
    """Each is verified at each judgement, so there are not many."""
    memory = FailedGates()
    for number in range(failed_gates.PER_MODEL_MAX + 9):
        memory.remember(FLOOR, FILES.digest, (failure(name=f"g{number}"),), NOW)
    assert len(memory) == failed_gates.PER_MODEL_MAX


def restarted(directory: Path) -> FailedGates:
    files = FailedGateFiles(directory)
    return FailedGates(files, files.load())


@pytest.mark.requirement("a remembered failure outlives the member's process")
def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    """What was remembered is there in the next process, and what was swept is not."""
    directory = tmp_path / "failed"
    first = restarted(directory)
    old, young = failure(timedelta(days=300)), failure(name="bias")
    first.remember(FLOOR, FILES.digest, (old, young), NOW)
    first.remember(compiled(namespace="a"), FILES.digest, (young,), NOW)
    second = restarted(directory)
    found = {document.digest for document in second.about(FLOOR, FILES.digest)}
    assert found == {old.document.digest, young.document.digest}
    assert second.about(compiled(namespace="a"), FILES.digest) == (young.document,)
    second.sweep(NOW + timedelta(days=100))
    assert restarted(directory).about(FLOOR, FILES.digest) == (young.document,)


def test_a_torn_write_is_not_there(tmp_path: Path) -> None:
    """A file that was being written when the process was killed is removed, and harms nothing."""
    memory = restarted(tmp_path)
    memory.remember(FLOOR, FILES.digest, (failure(),), NOW)
    (tmp_path / "abc.new").write_bytes(b'{"version":1,')
    assert len(restarted(tmp_path)) == 1
    assert not list(tmp_path.glob("*.new"))


@pytest.mark.requirement("a memory that cannot be read stops the member, naming the file")
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version":2}', b"\xff", b"{" * 100])
def test_a_damaged_file_stops_the_start(tmp_path: Path, content: bytes) -> None:
    """Going on would forget a failure, so a person has to decide."""
    memory = restarted(tmp_path)
    memory.remember(FLOOR, FILES.digest, (failure(),), NOW)
    [path] = tmp_path.glob("*.json")
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        restarted(tmp_path)
    assert caught.value.field == str(path)


class FullDisk:
    """A store that has no room."""

    def put(self, failed: failed_gates.FailedGate) -> None:
        """Refuse."""
        raise OSError("no space left on device")

    def remove(self, key: failed_gates.Key) -> None:
        """Refuse."""
        raise OSError("no space left on device")


def test_a_full_disk_does_not_stop_the_judging() -> None:
    """The failure counts in this process; that it would not outlive it is logged as an error."""
    memory = FailedGates(FullDisk())
    memory.remember(FLOOR, FILES.digest, (failure(),), NOW)
    assert memory.about(FLOOR, FILES.digest)
    memory.sweep(datetime.max.replace(tzinfo=NOW.tzinfo))
    assert len(memory) == 0
