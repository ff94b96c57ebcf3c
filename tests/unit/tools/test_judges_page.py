"""docs/reference/judges.md is about the committed release, and its figures are counted."""

from dataclasses import replace
from pathlib import Path

import pytest

from quorate_consensus.judges.release import BUILT_IN, FILE_NAME, digest_of_bytes
from tools.judges.__main__ import PAGE, summary
from tools.judges.measure import Tally, measure
from tools.judges.page import page, share


@pytest.mark.requirement("judges: a report of what each judge missed")
def test_the_page_is_about_the_committed_release() -> None:
    """Whoever changes what judges go by measures again."""
    digest = digest_of_bytes((BUILT_IN / FILE_NAME).read_bytes())
    assert digest in PAGE.read_text("utf-8")


def test_a_small_measurement(tmp_path: Path) -> None:
    """A few requests make a whole page: every judge, every stratum, each count within its whole."""
    (tmp_path / "pii-spans-small.json").write_text('[{"full_text": "call me"}]')
    figures = measure(tmp_path, count=40)
    text = page(figures)
    for name in figures.judges:
        assert f"* `{name}`:" in text
    assert figures.development[("PII sentences", False)]["rules"].asked == 1
    strata = summary(figures)["strata"]
    assert isinstance(strata, dict)
    asked = sum(found["rules"]["unsafe"][1] for found in strata.values())
    assert asked == 40
    for rows in figures.families.values():
        assert all(tally.denied <= tally.asked for tally in rows.values())
    # Whoever finds something undisguised is counted from there.
    for found in figures.disguises.values():
        assert found["as it is"].denied == found["as it is"].asked > 0
    # Without development data the page says so.
    assert "Not at hand" in page(replace(figures, development={}))


def test_shares() -> None:
    """A share comes with its interval; nothing asked is no share."""
    assert share(Tally(1, 2)) == "50.0 [9.5, 90.5]"
    assert share(Tally()) == "-"
