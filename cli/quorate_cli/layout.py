"""Lines that fit a terminal: wrapped paragraphs, indented blocks, tables that give way."""

import shutil
import textwrap
from collections.abc import Sequence
from typing import Final

WIDTH_MIN: Final = 40
WIDTH_MAX: Final = 120
"""Longer lines are hard to read, however wide the terminal."""
YES, NO, UNKNOWN, NOTICE = "✓", "✗", "?", "!"
GAP: Final = "  "
LAST_COLUMN_MIN: Final = 16
"""A last column that would be cut shorter tells nothing."""


def terminal_width() -> int:
    """Columns to fill; 100 where nobody says, as in a pipe."""
    return max(WIDTH_MIN, min(shutil.get_terminal_size((100, 24)).columns, WIDTH_MAX))


def mark(value: bool | None) -> str:
    """A sign for true, false and not known."""
    return UNKNOWN if value is None else YES if value else NO


def wrapped(text: str, width: int, *, first: str = "", rest: str | None = None) -> list[str]:
    """Paragraphs of ``text`` as lines that begin with ``first``, then ``rest`` (default: blanks).

    Words stay whole, digests and paths too: what is cut cannot be copied.
    """
    hanging = " " * len(first) if rest is None else rest
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        lines += textwrap.wrap(
            paragraph,
            width,
            initial_indent=hanging if lines else first,
            subsequent_indent=hanging,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [hanging if lines else first]
    return [line.rstrip() for line in lines]


def clipped(text: str, width: int) -> str:
    """``text`` in one line of at most ``width`` characters, cut with an ellipsis."""
    flat = " ".join(text.split())
    return flat if len(flat) <= width else f"{flat[: max(0, width - 1)]}…"


def table(
    rows: Sequence[Sequence[str]], width: int, *, header: Sequence[str] = (), indent: str = ""
) -> list[str]:
    """Columns as wide as their content; when the line is too short, the last one is cut.

    If even that does not fit, each row becomes a block of wrapped words, without the header.
    """
    body = [[" ".join(cell.split()) for cell in row] for row in rows]
    cells = [list(header), *body] if header else body
    if not body:
        return []
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    room = width - len(indent) - sum(widths[:-1]) - len(GAP) * (len(widths) - 1)
    if room < min(widths[-1], LAST_COLUMN_MIN):
        blocks = (GAP.join(filter(None, row)) for row in body)
        return [
            line
            for block in blocks
            for line in wrapped(block, width, first=indent, rest=indent + GAP)
        ]
    lines = []
    for row in cells:
        fixed = [cell.ljust(widths[i]) for i, cell in enumerate(row[:-1])]
        lines.append((indent + GAP.join([*fixed, clipped(row[-1], room)])).rstrip())
    return lines
