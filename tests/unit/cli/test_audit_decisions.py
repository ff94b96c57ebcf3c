"""audit decisions: what a sidecar wrote down of a decision, read and verified offline."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from quorate.audit.chain import Chain
from quorate.audit.records import Action, HoldDecided
from quorate.consensus.conversation import Said, Wanted
from quorate.consensus.request import Role
from quorate.genesis import encode
from quorate_sidecar.exchange import Exchange
from quorate_sidecar.refusal import Refusal
from tests.fakes.acting import acting
from tests.fakes.committee import DENY
from tests.unit.cli.conftest import Quorate

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
HOLD = HoldDecided("sha256:" + "a" * 64, "Approved", (), "sha256:" + "b" * 64, "then")


@pytest.fixture
async def decided(tmp_path: Path) -> tuple[Action, Path]:
    """A record as the sidecar makes it, of a denial, and the genesis of who denied."""
    one = await acting()
    for member in one.members.committee.members[1:]:
        member.judgement = DENY
    exchange = Exchange(0.0, state=one.standing.state)
    call = Said(Role.ASSISTANT, "", (Wanted("c", "pay", "{}"),))
    scene = one.gate.enter(exchange, None)
    with pytest.raises(Refusal):
        await one.gate.decide(exchange, scene, [(0, call)], {})
    genesis = tmp_path / "genesis.json"
    genesis.write_bytes(encode(one.members.committee.epoch))
    return one.actions[0], genesis


def log(folder: Path, *bodies: Action | HoldDecided) -> Path:
    """An audit log of these records."""
    chain, path = Chain(), folder / "audit.jsonl"
    path.write_bytes(b"".join(chain.extend(body, NOW) for body in bodies))
    return path


@pytest.mark.requirement("run-time votes: a denial says cause, votes and the command that explains")
def test_a_decision_is_shown_with_its_votes(
    quorate: Quorate, decided: tuple[Action, Path], tmp_path: Path
) -> None:
    """By the id that the client was told; votes are verified with the genesis."""
    action, genesis = decided
    path = log(tmp_path, action, HOLD)
    ran = quorate("audit", "decisions", "--id", action.id, "--genesis", genesis, path)
    assert ran.code == 0
    for words in ("DENY (QuorumUnreachable)", "by strict", "unknown, high (700)", action.request):
        assert words in ran.out
    assert "DENY (Rule) [verified]" in ran.out
    assert HOLD.hold not in ran.out
    shown = quorate("audit", "decisions", path).out
    assert "not verified: its epoch is not at hand" in shown
    assert HOLD.hold in shown
    assert quorate("audit", "decisions", "--id", "req_other", path).code == 1


@pytest.mark.parametrize("wrong", ["nonce", "request", "decided_by", "votes"])
def test_votes_about_something_else_are_denied(
    quorate: Quorate, decided: tuple[Action, Path], tmp_path: Path, wrong: str
) -> None:
    """A record that claims others' votes for itself, or holds no votes at all."""
    action, genesis = decided
    other = {
        "nonce": "0" * 32,
        "request": "sha256:" + "0" * 64,
        "decided_by": "fast",
        "votes": "AAAA",
    }[wrong]
    path = log(tmp_path, msgspec.structs.replace(action, **{wrong: other}))
    ran = quorate("audit", "decisions", "--genesis", genesis, path)
    assert ran.code == 1
    assert "a vote does not verify" in ran.out


def test_a_changed_log_is_denied(
    quorate: Quorate, decided: tuple[Action, Path], tmp_path: Path
) -> None:
    """Whatever its records say."""
    path = log(tmp_path, decided[0], HOLD)
    path.write_bytes(path.read_bytes().replace(b'"deny"', b'"hold"', 1))
    assert quorate("audit", "decisions", path).code == 1
