"""The page about risk says what the code does."""

from pathlib import Path

import pytest
import yaml

from quorate.api.v1alpha1.safety_policy import ClusterSafetyPolicySpec
from quorate.consensus.hold import HOLDS_MAX
from quorate.consensus.request import BAND_FROM, BANDS, CALLS_MAX, Band
from quorate.policy.votes import risk_table, voting
from quorate.risk import score as scores
from quorate.risk.route import VOTING, route
from quorate.risk.rules import HARMLESS, WEIGHTS
from tests.fakes.vouching import signer, signers

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/explanation/risk.md").read_text("utf-8")


def table(first: str) -> list[list[str]]:
    """The rows of the table whose header begins with ``first``."""
    lines = PAGE.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


@pytest.mark.requirement("risk: bands, tiers and budgets are documented as they are")
def test_the_table_of_bands_is_the_codes() -> None:
    """Where each begins, which tier decides it, within what time, and whether a person must."""
    rows = {row[0]: row for row in table("band")}
    assert list(rows) == [band.value for band in BANDS]
    for band in BANDS:
        _, begins, by, within, also = rows[band]
        way = route(band)
        assert begins == (str(BAND_FROM[band]) if band in BAND_FROM else "no score")
        assert by == (f"tier `{way.tier}`" if way.tier else "the sidecar")
        assert within == (f"{way.budget * 1000:.0f} ms" if way.tier else "\u2013")
        assert way.human == ("a person must approve" in also)


def test_the_table_of_weights_is_the_codes() -> None:
    """Every class, in the order of its weight."""
    assert [(row[0], int(row[1])) for row in table("class")] == [
        (name.value, weight) for name, weight in WEIGHTS.items()
    ]
    assert list(WEIGHTS.values()) == sorted(WEIGHTS.values())


def test_the_table_of_signals_is_the_codes() -> None:
    """Every number that a signal adds."""
    assert [int(row[1]) for row in table("signal")] == [
        scores.IRREVERSIBLE,
        scores.LARGE,
        scores.HUGE,
        scores.OUTSIDE,
        scores.LONG,
        scores.FOUND["pii"],
        scores.FOUND["secrets"],
        scores.FOUND_OTHER,
    ]


def test_the_bounds_are_the_codes() -> None:
    """As the page words them."""
    harmless = ", ".join(sorted(HARMLESS))
    least = BAND_FROM[Band.MEDIUM]
    text = " ".join(PAGE.split())
    for words in (
        f"at most {HOLDS_MAX} holds",
        f"more than {CALLS_MAX} calls",
        f"change nothing ({harmless}) may weigh less than {least}",
    ):
        assert words in text


def test_the_example_is_a_policy_that_compiles() -> None:
    """It reads as a policy, and its parts compile."""
    text = PAGE.partition("```yaml\n")[2].partition("```")[0]
    spec = yaml.safe_load(text)["spec"] | {"selector": {}, "mode": "Audit"}
    spec["holds"] = {"threshold": 1, "keys": signers(signer())["keys"]}
    said = ClusterSafetyPolicySpec.model_validate(spec)
    assert risk_table(said.runtime.risk, "risk", platform=True) is not None
    assert voting(said.consensus, None, "spec") == VOTING
