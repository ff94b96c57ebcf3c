"""Logs as JSON lines on standard error: one object a line, so that no text can forge a line."""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import TextIO

LEVEL_VARIABLE = "QUORATE_LOG_LEVEL"
"""``debug``, ``info`` (the default), ``warning`` or ``error``."""

MESSAGE_LENGTH = 8192
"""Characters of one message or one value; what is longer is cut, and says so."""

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object; ``extra`` arguments become fields of it."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its newline."""
        line: dict[str, int | float | str] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": _cut(record.getMessage()),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD and name not in line:
                line[name] = value if isinstance(value, int | float) else _cut(str(value))
        if record.exc_info:
            line["error"] = _cut(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=True)


def set_up(service: str, stream: TextIO | None = None) -> None:
    """Send all logs of this process to ``stream`` (standard error) as JSON lines.

    The level comes from LEVEL_VARIABLE; an unknown one means ``info`` and is logged.
    """
    wanted = os.environ.get(LEVEL_VARIABLE, "info").strip().lower()
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS.get(wanted, logging.INFO))
    if wanted not in _LEVELS:
        root.warning("%s=%s is not a level; using info", LEVEL_VARIABLE, wanted[:40])


def _cut(text: str) -> str:
    if len(text) <= MESSAGE_LENGTH:
        return text
    return f"{text[:MESSAGE_LENGTH]}… ({len(text) - MESSAGE_LENGTH} more)"
