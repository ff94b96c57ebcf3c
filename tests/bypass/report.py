"""A pytest plugin: the table of bypass classes, and ``build/bypass.json``.

``python -m pytest -p tests.bypass.report``. With ``--bypass-complete`` a class without a test that
ran makes the run fail.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.bypass.catalogue import CLASSES, BypassClass

FILE = Path(__file__).resolve().parents[2] / "build" / "bypass.json"
NOT_TESTED = "not tested"


class Table:
    """What became of each class."""

    def __init__(self) -> None:
        self._classes: dict[str, tuple[str, ...]] = {}
        self._outcomes: dict[str, list[str]] = defaultdict(list)
        self._seconds: dict[str, float] = defaultdict(float)

    def learn(self, item: pytest.Item) -> None:
        """Note which classes a test tries; an unknown one is an error."""
        keys = tuple(str(key) for mark in item.iter_markers("bypass") for key in mark.args)
        for key in keys:
            if key not in CLASSES:
                raise pytest.UsageError(f"{item.nodeid}: no bypass class {key}")
        self._classes[item.nodeid] = keys

    def take(self, report: pytest.TestReport) -> None:
        """Note a phase of a test."""
        for key in self._classes.get(report.nodeid, ()):
            self._seconds[key] += report.duration
            if report.when == "call" or report.outcome != "passed":
                self._outcomes[key].append(report.outcome)

    def rows(self) -> list[dict[str, Any]]:
        """A row for every class, in order."""
        return [self._row(found) for found in CLASSES.values()]

    def _row(self, found: BypassClass) -> dict[str, Any]:
        outcomes = self._outcomes.get(found.key, [])
        if any(outcome == "failed" for outcome in outcomes):
            got = "OPEN"
        elif not outcomes or "skipped" in outcomes:
            got = NOT_TESTED
        else:
            got = found.expected
        seconds = round(self._seconds.get(found.key, 0.0), 2)
        name = f"{found.key} {found.title}"
        return {"class": name, "expected": found.expected, "got": got, "seconds": seconds}


_KEY = pytest.StashKey[Table]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The one option."""
    parser.addoption("--bypass-complete", action="store_true", help="every class must be tested")


def pytest_configure(config: pytest.Config) -> None:
    """A new table a run."""
    config.stash[_KEY] = Table()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Learn which test tries what."""
    for item in items:
        config.stash[_KEY].learn(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Note each phase."""
    report = yield
    item.config.stash[_KEY].take(report)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the file; a class that was not tested fails a complete run."""
    rows = session.config.stash[_KEY].rows()
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    if session.config.getoption("--bypass-complete") and any(
        row["got"] != row["expected"] for row in rows
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table."""
    rows = config.stash[_KEY].rows()
    terminalreporter.section("bypass classes")
    for row in rows:
        terminalreporter.write_line(
            f"{row['class']:48} {row['expected']:7} {row['got']:11} {row['seconds']:7.2f} s"
        )
    held = sum(row["got"] == row["expected"] for row in rows)
    terminalreporter.write_line(f"{held} of {len(rows)} classes held; {FILE.name} written")
