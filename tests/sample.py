"""A pytest plugin: leaves out what only the whole run does, and prints what that is.

``python -m pytest -p tests.sample``. ``make test`` runs with it and ``make test-full`` without; a
test that is named by hand runs either way.
"""

import pytest

_KEY = pytest.StashKey[list[str]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests marked ``whole``."""
    left_out = [item for item in items if item.get_closest_marker("whole")]
    config.stash[_KEY] = sorted(item.nodeid for item in left_out)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was left out."""
    left_out = terminalreporter.config.stash.get(_KEY, [])
    if left_out:
        terminalreporter.section("a sample: left to make test-full")
        for nodeid in left_out:
            terminalreporter.line(nodeid)
