"""The texts of each origin as one: what is cut over two messages is still there."""

from typing import Final

from quorate.consensus.excerpt import Origin, pieces, values
from quorate.consensus.request import Request

VALUES_JOINED: Final = 64
"""More values are a table and no text that was cut."""


def by_origin(request: Request) -> dict[Origin, str]:
    """Joined texts by origin. The arguments are there again without their names, which may stand
    between parts of one, and once more without anything between them."""
    texts: dict[Origin, list[str]] = {}
    for piece in pieces(request):
        texts.setdefault(piece.origin, []).append(piece.text)
    given = list(values(request.arguments))
    if given:
        texts.setdefault(Origin.ARGUMENTS, []).extend(given)
    if 1 < len(given) <= VALUES_JOINED:
        texts[Origin.ARGUMENTS].append("".join(given))
    return {origin: "\n".join(parts) for origin, parts in texts.items()}
