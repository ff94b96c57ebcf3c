"""Reports of garak and PyRIT: counted again, and refused when they say too little."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from quorate.errors import InvalidInput
from quorate_evaluation.readers import garak, pyrit
from quorate_evaluation.readers.tally import Tally
from tests.unit.evaluation.conftest import (
    Entry,
    garak_attempt,
    garak_entries,
    lines,
    pyrit_piece,
    pyrit_pieces,
    pyrit_score,
)


def test_garak_outputs_are_attacks(garak_report: bytes) -> None:
    """Each judged output is an attack; any detector that hits makes it one that worked."""
    tally = garak.read_report(garak_report)
    assert (tally.attacks, tally.successes, tally.unscored) == (3, 1, 0)
    assert tally.findings == ("dan.Dan_11_0: dan.DAN",)


def test_older_garak_totals_are_read() -> None:
    """Before 0.13 garak wrote ``total``."""
    entries = garak_entries()
    for entry in entries:
        if entry["entry_type"] == "eval":
            entry["total"] = entry.pop("total_evaluated")
    assert garak.read_report(lines(entries)).attacks == 3


def changed(change: Callable[[list[Entry]], Any]) -> bytes:
    entries = garak_entries()
    change(entries)
    return lines(entries)


REFUSED: dict[str, tuple[Callable[[list[Entry]], Any], str]] = {
    "broken off": (lambda e: e.pop(), "broke off"),
    "totals made better": (lambda e: e[6].update(passed=3), "totals are not those"),
    "a hit left out": (lambda e: e[4]["detector_results"].pop("dan.DAN"), "totals are not those"),
    "attempt never judged": (lambda e: e.insert(4, garak_attempt("c", 1)), "not finished"),
    "attempt twice": (lambda e: e.insert(5, dict(e[4])), "twice"),
    "lax threshold": (lambda e: e[0].update({"run.eval_threshold": 0.99}), "at most 0.5"),
    "score out of range": (lambda e: e[4]["detector_results"].update(x=[7.0]), "between 0 and 1"),
    "nothing judged": (lambda e: e.__setitem__(slice(2, 8), []), "no attack"),
    "unscored": (
        lambda e: e.insert(4, garak_attempt("d", 2, DAN=[None] * 9)),
        "never scored",
    ),
    "no uuid": (lambda e: e[4].pop("uuid"), "uuid and status"),
    "status of another type": (lambda e: e[4].update(status="2"), "line 5"),
}


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=list(REFUSED))
def test_garak_reports_that_are_refused(change: Callable[[list[Entry]], Any], message: str) -> None:
    """Unfinished, incomplete or contradicting itself: no tally."""
    with pytest.raises(InvalidInput, match=message):
        garak.read_report(changed(change))


def test_a_line_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds of line and file hold."""
    monkeypatch.setattr(garak, "LINE_BYTES", 100)
    with pytest.raises(InvalidInput, match="more than 100 bytes"):
        garak.read_report(lines(garak_entries()))
    monkeypatch.setattr(garak, "REPORT_BYTES", 10)
    monkeypatch.setattr(pyrit, "REPORT_BYTES", 10)
    for read in (garak.read_report, pyrit.read_export):
        with pytest.raises(InvalidInput, match="more than 10 bytes"):
            read(b" " * 11)


def test_pyrit_conversations_are_attacks(pyrit_export: bytes) -> None:
    """A conversation is an attack; a refusal scorer's true means that it failed."""
    tally = pyrit.read_export(pyrit_export)
    assert (tally.attacks, tally.successes, tally.unscored) == (3, 1, 0)


PYRIT: dict[str, tuple[list[Entry], bool | str]] = {
    "not refused": (
        [pyrit_piece("c", "assistant", pyrit_score("False", scorer="SelfAskRefusalScorer"))],
        True,
    ),
    "objective before refusal": (
        [
            pyrit_piece(
                *("c", "assistant", pyrit_score("False")),
                pyrit_score("False", scorer="SelfAskRefusalScorer"),
            )
        ],
        False,
    ),
    "any turn": (
        [
            pyrit_piece("c", "assistant", pyrit_score("true")),
            pyrit_piece("c", "assistant", pyrit_score("false")),
        ],
        True,
    ),
    "scale": (
        [pyrit_piece("c", "assistant", pyrit_score("0.5", score_type="float_scale"))],
        True,
    ),
    "blocked": ([pyrit_piece("c", "assistant", response_error="blocked")], False),
    "nobody scored": ([pyrit_piece("c", "assistant")], "no attack"),
    "neither true nor false": (
        [pyrit_piece("c", "assistant", pyrit_score("maybe"))],
        "true or false",
    ),
    "scale out of range": (
        [pyrit_piece("c", "assistant", pyrit_score("nan", score_type="float_scale"))],
        "between 0 and 1",
    ),
    "unknown scale": (
        [pyrit_piece("c", "assistant", pyrit_score("1", score_type="likert"))],
        "PyRIT export",
    ),
    "mostly unscored": (
        [*pyrit_pieces(), pyrit_piece("x", "assistant"), pyrit_piece("y", "assistant")],
        "never scored",
    ),
}


@pytest.mark.parametrize(("pieces", "expected"), PYRIT.values(), ids=list(PYRIT))
def test_pyrit_cases(pieces: list[Entry], expected: bool | str) -> None:
    """What a conversation's scores say of its attack, or why they say nothing."""
    data = json.dumps(pieces).encode()
    if isinstance(expected, str):
        with pytest.raises(InvalidInput, match=expected):
            pyrit.read_export(data)
    else:
        assert pyrit.read_export(data).successes == int(expected)


def test_findings_are_harmless_text() -> None:
    """What a report calls its probes cannot move a terminal's cursor."""
    entries = garak_entries()
    for entry in entries:
        for field in ("probe", "probe_classname"):
            if field in entry:
                entry[field] = "\x1b[2Jdan.Dan"
    assert "\x1b" not in "".join(garak.read_report(lines(entries)).findings)


def test_tallies_add_up() -> None:
    """Two reports count as one."""
    assert Tally.of([Tally(2, 1, 0, ("a",)), Tally(3, 0, 1)]) == Tally(5, 1, 1, ("a",))
