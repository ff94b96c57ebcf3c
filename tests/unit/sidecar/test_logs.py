"""Log lines: one JSON object a line, whatever the message holds."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from quorate_io import logs


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The lines of a logger of its own; the root logger is put back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.delenv(logs.LEVEL_VARIABLE, raising=False)
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)


def read(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_line_is_one_json_object(lines: io.StringIO) -> None:
    """Time, level, service, logger and message are fields, and so are extras."""
    logs.set_up("sidecar", lines)
    logging.getLogger("quorate.test").info("measured %d files", 3, extra={"bytes": 7, "pod": "a"})
    (line,) = read(lines)
    assert line.pop("at").endswith("+00:00")
    assert line == {
        "level": "info",
        "service": "sidecar",
        "logger": "quorate.test",
        "message": "measured 3 files",
        "bytes": 7,
        "pod": "a",
    }


@pytest.mark.parametrize("text", ['x\n{"level":"info"}', "\u2028\u2029\x00\x1b[31m", "ü" * 10_000])
def test_no_text_forges_a_line(lines: io.StringIO, text: str) -> None:
    """Line breaks of any kind and control characters are escaped, and length is bounded."""
    logs.set_up("sidecar", lines)
    logging.getLogger().warning("%s", text)
    assert lines.getvalue().isascii()
    assert lines.getvalue().count("\n") == 1
    (line,) = read(lines)
    assert len(line["message"]) < logs.MESSAGE_LENGTH + 30


def test_exception_is_a_field(lines: io.StringIO) -> None:
    """A traceback stays inside its line."""
    logs.set_up("sidecar", lines)
    try:
        raise ValueError("no")
    except ValueError:
        logging.getLogger().exception("failed")
    (line,) = read(lines)
    assert "ValueError: no" in line["error"]


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("warning", 2), ("error", 1)])
def test_level_comes_from_the_environment(
    lines: io.StringIO, monkeypatch: pytest.MonkeyPatch, level: str, count: int
) -> None:
    """The variable decides what is written."""
    monkeypatch.setenv(logs.LEVEL_VARIABLE, level)
    logs.set_up("sidecar", lines)
    for write in (logging.debug, logging.info, logging.warning, logging.error):
        write("x")
    assert len(read(lines)) == count


def test_unknown_level_is_info_and_says_so(
    lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typing error does not silence a service."""
    monkeypatch.setenv(logs.LEVEL_VARIABLE, "loud")
    logs.set_up("sidecar", lines)
    logging.info("still here")
    first, second = read(lines)
    assert "is not a level" in first["message"]
    assert second["message"] == "still here"
