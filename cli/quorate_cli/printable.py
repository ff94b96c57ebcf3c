"""Text from documents and file names, safe to show on a terminal."""


def printable(text: str) -> str:
    """``text`` with everything that could move the cursor or hide something written as escapes."""
    return "".join(
        char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text
    )
