"""The texts of a request, each with where it came from: what judges read. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from quorate.consensus.request import Request, Role


class Origin(StrEnum):
    """Where a text came from. ``INSTRUCTIONS`` are the system's and the developer's."""

    INSTRUCTIONS = "instructions"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL_RESULT = "tool-result"
    ARGUMENTS = "arguments"
    """Of the action that is asked about."""
    EARLIER_CALL = "earlier-call"


_ORIGINS = {
    Role.SYSTEM: Origin.INSTRUCTIONS,
    Role.DEVELOPER: Origin.INSTRUCTIONS,
    Role.USER: Origin.USER,
    Role.ASSISTANT: Origin.ASSISTANT,
    Role.TOOL: Origin.TOOL_RESULT,
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A text. ``index`` is the message it stands in, ``tool`` who answered or was called."""

    origin: Origin
    text: str
    index: int
    tool: str = ""


def pieces(request: Request) -> tuple[Piece, ...]:
    """Every text of ``request`` that is not empty, the oldest first and the arguments last."""
    return tuple(piece for piece in _all(request) if piece.text)


def _all(request: Request) -> Iterator[Piece]:
    for index, message in enumerate(request.conversation):
        yield Piece(_ORIGINS[message.role], message.content, index, message.tool)
        for call in message.calls:
            text = "\n".join(leaves(call.arguments))
            yield Piece(Origin.EARLIER_CALL, text, index, call.tool)
    text = "\n".join(leaves(request.arguments))
    yield Piece(Origin.ARGUMENTS, text, len(request.conversation), request.tool)


def leaves(value: Any) -> Iterator[str]:
    """The names and values in a JSON value as texts, in its order. Truth values say nothing."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from leaves(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def values(value: Any) -> Iterator[str]:
    """The values in a JSON value as texts, without their names: what may have been cut in parts."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from values(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from values(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
