"""hold list: what waits for people, told from the log that their pod wrote."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quorate.audit.chain import Chain
from quorate.audit.records import Action, HoldDecided
from tests.fakes.ballots import digest
from tests.unit.cli.conftest import Quorate

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
FIELDS: dict[str, Any] = {
    "decision": "hold",
    "hold": digest("a"),
    "tool": "transfer",
    "band": "critical",
    "cause": "Waiting",
}


def action(**fields: Any) -> Action:
    """A record of an action; what is not said is empty."""
    numbers = {"choice", "place", "score", "approvals", "others", "needed", "milliseconds"}
    names = [one.name for one in msgspec.structs.fields(Action)]
    empty: dict[str, Any] = {name: 0 if name in numbers else "" for name in names}
    return Action(**(empty | {"silent": {}} | FIELDS | fields))


def decided(standing: str, hold: str = FIELDS["hold"]) -> HoldDecided:
    """What people decided."""
    return HoldDecided(hold, standing, (digest("c"),), digest("d"), "then")


def log(folder: Path, *bodies: Action | HoldDecided) -> Path:
    """An audit log of these records."""
    chain, path = Chain(), folder / "audit.jsonl"
    path.write_bytes(b"".join(chain.extend(body, NOW) for body in bodies))
    return path


OTHER = action(hold=digest("b"), tool="")


@pytest.mark.parametrize(
    ("after", "standing", "waiting"),
    [
        ((), "Waiting", 2),
        ((action(),), "Waiting", 2),
        ((decided("Approved"),), "Approved", 1),
        ((decided("Rejected"),), "Rejected", 1),
        ((decided("Approved"), action(decision="approve")), "Used", 1),
        ((decided("Approved"), action()), "Waiting", 2),
        ((decided("Approved", digest("f")),), "Waiting", 2),
    ],
)
def test_a_hold_is_where_the_log_left_it(
    quorate: Quorate,
    tmp_path: Path,
    after: tuple[Action | HoldDecided, ...],
    standing: str,
    waiting: int,
) -> None:
    """Held, decided about, used, and held again once an approval ended."""
    path = log(tmp_path, action(), OTHER, *after)
    ran = quorate("hold", "list", path, "--output", "json")
    assert (ran.code, len(ran.document["holds"])) == (0, waiting)
    everything = quorate("hold", "list", "--all", path, "--output", "json").document["holds"]
    assert {one["hold"]: one["standing"] for one in everything}[digest("a")] == standing
    text = quorate("hold", "list", "--all", path).out
    assert "transfer" in text
    assert "text" in text


def test_a_log_that_was_changed_is_said(quorate: Quorate, tmp_path: Path) -> None:
    """What is in it is listed, and not vouched for; nothing in it is no failure."""
    path = log(tmp_path, action(), OTHER)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0].replace(b"transfer", b"transfers") + lines[1] + b"no record\n")
    ran = quorate("hold", "list", path)
    assert ran.code == 1
    assert "DENIED" in ran.out
    path.write_bytes(b"")
    assert "nothing waits" in quorate("hold", "list", path).out
