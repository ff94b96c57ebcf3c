"""Text from documents and file names, safe to show on a terminal."""

from typing import Final, TextIO

_PLAIN: Final = str.maketrans(
    {"✓": "+", "✗": "x", "…": "...", "\u2013": "-", "→": "->", "≤": "<=", "·": "-"}
)
"""The project's own signs, for terminals that know ASCII only."""


def printable(text: str) -> str:
    """``text`` with everything that could move the cursor or hide something written as escapes."""
    return "".join(
        char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text
    )


def encodable(text: str, stream: TextIO) -> str:
    """``text`` with what ``stream`` cannot show replaced, so that writing it never fails."""
    encoding = stream.encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        plain = text.translate(_PLAIN)
        return plain.encode(encoding, "backslashreplace").decode(encoding)
    return text
