"""hold decide: what a person signs about a held action counts where it is held, and only there."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quorate.consensus import hold
from quorate.consensus.hold import Holds, Standing, Terms
from quorate.errors import SignatureError
from quorate.keys import load_public_key
from tests.unit.cli.conftest import Quorate

DIGEST = "sha256:" + "a" * 64
TERMS = Terms("c", DIGEST, (DIGEST,), DIGEST, DIGEST)


@pytest.fixture
def keys(quorate: Quorate, tmp_path: Path) -> list[Path]:
    """Private keys of two people."""
    found = [tmp_path / f"{name}.key" for name in ("a", "b")]
    for path in found:
        assert quorate("keygen", "--out", path.with_suffix("")).code == 0
    return found


def held() -> Holds:
    """A table that holds one action since a moment ago."""
    now = datetime.now(UTC) - timedelta(seconds=5)
    return hold.open_hold(Holds(), TERMS, now, timedelta(minutes=15))[0]


@pytest.mark.requirement("HOLD stays a DENY until a signed human approval for that digest arrives")
def test_two_people_approve_one_hold(quorate: Quorate, keys: list[Path], tmp_path: Path) -> None:
    """One alone is not enough where two must; the second signs what the first did."""
    out = tmp_path / "decision.json"
    ran = quorate(
        "hold", "decide", "--id", TERMS.hold_id, "--reason", "called", "--key", keys[0],
        "--out", out,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "/quorate/v1/hold-decisions" in ran.out
    public = [load_public_key(path.with_suffix(".pub").read_text()).pem for path in keys]
    group = hold.people(public, 2)
    with pytest.raises(SignatureError):
        hold.decide(held(), out.read_bytes(), [group], datetime.now(UTC))
    ran = quorate(
        "hold", "decide", "--id", TERMS.hold_id, "--add-to", out, "--key", keys[1],
        "--out", out, "--output", "json",
    )  # fmt: skip
    assert (ran.code, ran.document["signatures"]) == (0, 2)
    _, found = hold.decide(held(), out.read_bytes(), [group], datetime.now(UTC))
    assert found.standing is Standing.APPROVED


@pytest.mark.parametrize(
    "changed",
    [
        ["--id", "x"],
        ["--minutes", "61"],
        ["--minutes", "0"],
        ["--reason", "two\nlines"],
        ["--reason", ""],
    ],
)
def test_what_could_not_count_is_not_signed(
    quorate: Quorate, keys: list[Path], tmp_path: Path, changed: list[str]
) -> None:
    """It is bad usage, and no file is left."""
    out = tmp_path / "decision.json"
    given = {"--id": TERMS.hold_id, "--reason": "called"} | {changed[0]: changed[1]}
    words = [word for pair in given.items() for word in pair]
    assert quorate("hold", "decide", *words, "--key", keys[0], "--out", out).code == 2
    assert not out.exists()


def test_a_decision_of_somebody_else_is_signed_as_it_is(
    quorate: Quorate, keys: list[Path], tmp_path: Path
) -> None:
    """Not about another hold, not with other terms, not twice by one key."""
    out = tmp_path / "decision.json"
    first = ["hold", "decide", "--id", TERMS.hold_id, "--key", str(keys[0]), "--out", str(out)]
    assert quorate(*first, "--reason", "no", "--reject").code == 0
    assert json.loads(out.read_text())["payloadType"]
    other = ["hold", "decide", "--id", DIGEST, "--add-to", out, "--key", keys[1], "--out", out]
    assert quorate(*other).code == 2
    assert quorate(*first, "--add-to", out).code == 2
    again = ["hold", "decide", "--id", TERMS.hold_id, "--key", keys[1], "--out", out]
    assert quorate(*again, "--add-to", out, "--reason", "yes").code == 2
