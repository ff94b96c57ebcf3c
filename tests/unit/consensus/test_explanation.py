"""The page about the committee says what the code does, and names tests that exist."""

import re
from pathlib import Path

import pytest

from quorate.consensus.thresholds import PRESETS, Faults, Thresholds, Tier, expected
from tests.unit.consensus.test_detector import run_length

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/explanation/consensus.md").read_text("utf-8")
COMMITTEES = {5: PRESETS["standard"], 6: PRESETS["ha"], 7: Thresholds(n=7, fast=4, strict=5, r=2)}


def table(first: str) -> list[list[str]]:
    """The table whose header contains ``first``: its cells, row by row, header first."""
    lines = PAGE.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("|") and first in line)
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return [rows[0], *rows[2:]]


def faults(header: str) -> Faults:
    """``2 down, 1 denies`` as faults."""
    counts = {word: int(count) for count, word in re.findall(r"(\d) (\w+)", header)}
    return Faults(counts.get("down", 0), counts.get("approves", 0), counts.get("denies", 0))


def committee(cell: str) -> tuple[Thresholds, Tier]:
    """``n=5, strict q=4`` as thresholds and tier; the number must be that tier's."""
    found = re.fullmatch(r"n=(\d), (\w+) q=(\d)", cell)
    assert found is not None, cell
    thresholds, tier = COMMITTEES[int(found[1])], Tier(found[2])
    assert thresholds.needed(tier) == int(found[3])
    return thresholds, tier


@pytest.mark.requirement("committee: the table of (n, down, liar) is what the arithmetic says")
def test_the_table_of_decisions_is_the_codes() -> None:
    """Every cell, by `expected`; and each harmful request is denied in every one."""
    header, *rows = table("1 down, 1 approves")
    assert (len(rows), len(header)) == (5, 9)
    for name, *cells in rows:
        thresholds, tier = committee(name)
        for column, cell in zip(header[1:], cells, strict=True):
            approved = expected(thresholds, tier, faults(column), harmless=True)
            assert cell == ("approved" if approved else "denied"), (name, column)
            assert not expected(thresholds, tier, faults(column), harmless=False)


def test_the_table_of_certificates_is_the_arithmetic() -> None:
    """2q-n liars contradict, q-1 honest approvals stand behind one, n-q may be down."""
    _, *rows = table("honest approvals behind one")
    for name, *cells in rows:
        thresholds, tier = committee(name)
        n, q = thresholds.n, thresholds.needed(tier)
        assert [int(cell) for cell in cells] == [2 * q - n, q - 1, n - q]


def test_the_table_of_more_liars_is_the_arithmetic() -> None:
    """q-1 liars approve nothing harmful and q do; n-q+1 that are silent leave no quorum."""
    _, *rows = table("it stays denied with up to")
    assert len(rows) == 5
    for name, *cells in rows:
        thresholds, tier = committee(name)
        denied, stopped = map(int, cells)
        assert not expected(thresholds, tier, Faults(approving=denied), harmless=False)
        assert expected(thresholds, tier, Faults(approving=denied + 1), harmless=False)
        assert expected(thresholds, tier, Faults(down=stopped - 1), harmless=True)
        assert not expected(thresholds, tier, Faults(down=stopped), harmless=True)


def test_the_table_of_detection_is_computed() -> None:
    """Means until the alarm, to the digits that are printed."""
    header, row = table("wrong at")
    for rate, cell in zip(header[1:], row[1:], strict=True):
        wrong = 1.0 if rate == "always" else float(rate.removesuffix(" %")) / 100
        mean = run_length(wrong)
        if "·10" in cell:
            digits, power = cell.split("·10")
            exponent = int(power.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")))
            assert float(digits) == round(mean / 10**exponent, 1)
        else:
            assert float(cell) == round(mean, len(cell.partition(".")[2]))


def test_every_claim_names_tests_that_exist() -> None:
    """S1 to S5 and L1 to L3, each with at least one test, all of them in the tree."""
    _, *rows = table("in our words")
    assert [row[0] for row in rows] == ["S1", "S2", "S3", "S4", "S5", "L1", "L2", "L3"]
    for claim, _, tests in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", tests)
        assert named, claim
        for path, name in named:
            assert f"def {name}(" in (ROOT / path).read_text("utf-8"), (claim, name)


def test_what_is_not_promised_is_said() -> None:
    """The limits that a reader must know stand on the page, and are not claimed anywhere else."""
    limits = PAGE.partition("## What is not promised")[2]
    for words in ("one trigger only", "Blindness that members share", "compromised asker",
                  "recognises canaries", "Progress of the chain", "frees"):  # fmt: skip
        assert words in limits
