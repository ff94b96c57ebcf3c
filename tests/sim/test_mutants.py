"""Five of the mutants, and that the gate can tell: ``make sim-mutants`` tries all."""

from pathlib import Path

import pytest

from tests.sim import mutation
from tests.sim.mutants import MUTANTS, Mutant

SAMPLE = (
    "duplicates count",
    "verdicts do not stick",
    "a member may choose twice",
    "hard denials are like others",
    "a record needs one signature less",
)


def test_there_are_enough_and_each_fits_in_one_place() -> None:
    """Twenty-five at the least; one that fits nowhere any more would prove nothing."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 25
    protocol = mutation.ROOT / mutation.PROTOCOL
    lost = [m.name for m in MUTANTS if (protocol / m.file).read_text("utf-8").count(m.old) != 1]
    assert lost == []


def test_a_mutant_that_no_longer_applies_fails(tmp_path: Path) -> None:
    """Rather than leave the source as it is, and be caught by nobody."""
    (tmp_path / mutation.PROTOCOL).mkdir(parents=True)
    (tmp_path / mutation.PROTOCOL / "ask.py").write_text("")
    with pytest.raises(ValueError, match="0 places"):
        mutation.apply(Mutant("lost", "ask.py", "x", "y"), tmp_path)


@pytest.mark.requirement("committee: seeded protocol bugs are caught")
@pytest.mark.parametrize("name", SAMPLE)
def test_a_bug_of_the_protocol_is_noticed(name: str) -> None:
    """In a copy of the tree, within a minute."""
    (mutant,) = (mutant for mutant in MUTANTS if mutant.name == name)
    catch = mutation.attempt(mutant)
    assert (catch.caught, catch.by) == (True, "simulator")


@pytest.mark.requirement("committee: seeded protocol bugs are caught")
def test_a_copy_without_a_bug_is_left_in_peace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the copy would be what fails, and every bug would look caught."""
    monkeypatch.setattr(mutation, "SIMULATED_SECONDS", 3.0)
    catch = mutation.attempt(None)
    assert (catch.caught, catch.by) == (False, "")
