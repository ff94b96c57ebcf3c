"""The texts of each origin as one: what is cut over two messages is still there."""

from quorate.consensus.excerpt import Origin, pieces, values
from quorate.consensus.request import Request


def by_origin(request: Request) -> dict[Origin, str]:
    """Joined texts by origin; the arguments a second time without their names, which may stand
    between parts of one."""
    texts: dict[Origin, list[str]] = {}
    for piece in pieces(request):
        texts.setdefault(piece.origin, []).append(piece.text)
    given = list(values(request.arguments))
    if given:
        texts.setdefault(Origin.ARGUMENTS, []).extend(given)
    return {origin: "\n".join(parts) for origin, parts in texts.items()}
