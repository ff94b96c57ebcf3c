"""A conversation as members are shown it: attributed, bounded, the newest kept. Pure.

Whoever talks to a model may write any history they like, so nothing in one raises here: what cannot
be read is passed on as the text it is, and what cannot be attributed is nobody's.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from quorate.canonical import canonical, parse_object
from quorate.consensus.request import CALLS_MAX, MESSAGES_MAX, Call, Message, Role, check_arguments
from quorate.consensus.wire import REQUEST_BYTES
from quorate.errors import InvalidInput
from quorate.limits import KIB

NAME_CHARS: Final = 253
NOBODY: Final = "unattributed"
"""The tool of a result that answers no call, or a call that two tools could have been."""
UNREAD: Final = "unread"
"""The argument that holds, as text, what an earlier call gave as arguments and was no JSON."""
CUT_MIN: Final = 1 * KIB
"""Less of a message than this says nothing."""


class Wanted(msgspec.Struct, frozen=True):
    """A call that a model wants made. ``arguments`` is JSON, if it is as it should be."""

    id: str
    tool: str
    arguments: str


class Said(msgspec.Struct, frozen=True):
    """One message as it was exchanged. ``calls`` are an ASSISTANT's; ``answers`` is the id of the
    call that a TOOL answers, and ``name`` the name it gives itself."""

    role: Role
    text: str
    calls: tuple[Wanted, ...] = ()
    answers: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The newest messages, and how many are left out or cut."""

    messages: tuple[Message, ...]
    omitted: int


def arguments_of(text: str) -> dict[str, Any]:
    """The arguments of a call; no text at all is no arguments.

    Raises InvalidInput, LimitExceeded unless ``text`` is one JSON object, of one reading, within
    the bounds of a request.
    """
    if not text.strip():
        return {}
    data = text.encode("utf-8", "surrogatepass")
    arguments = parse_object(data, bytes_max=REQUEST_BYTES, what="arguments")
    check_arguments(arguments, "arguments")
    # 2.0**53 reads as a double, and its canonical form as an integer that is not exact.
    return parse_object(canonical(arguments), bytes_max=REQUEST_BYTES, what="arguments")


def excerpt(said: Sequence[Said], room: int) -> Excerpt:
    """The newest of ``said`` that fit into ``room`` bytes of a request's canonical form.

    The oldest of them may be the end of a longer message. Never raises.
    """
    tools = _tools(said)
    kept: list[Message] = []
    for number, one in enumerate(reversed(said)):
        parts = _whole(one, tools, room)
        size = sum(_size(part) for part in parts)
        if parts and size <= room and len(kept) + len(parts) <= MESSAGES_MAX:
            kept += reversed(parts)
            room -= size
            continue
        if len(kept) < MESSAGES_MAX:
            kept += _end(one, tools, room)
        return Excerpt(tuple(reversed(kept)), len(said) - number)
    return Excerpt(tuple(reversed(kept)), 0)


def _whole(one: Said, tools: Mapping[str, str], room: int) -> list[Message]:
    """The messages that ``one`` is; none if it is too long to be worth reading."""
    length = len(one.text) + sum(len(call.arguments) for call in one.calls)
    return [] if length > room else list(_messages(one, tools))


def _tools(said: Sequence[Said]) -> dict[str, str]:
    """Which tool each call was for, by its id."""
    tools: dict[str, str] = {}
    for one in said:
        for call in one.calls:
            tool = _name(call.tool) or NOBODY
            tools[call.id] = tool if tools.get(call.id, tool) == tool else NOBODY
    return tools


def _messages(one: Said, tools: Mapping[str, str]) -> Iterator[Message]:
    """One message, or several if it makes more calls than one may hold."""
    text = _clean(one.text)
    if one.role is Role.TOOL:
        tool = tools.get(one.answers, NOBODY)
        if one.name and one.name != tool:
            tool = NOBODY
        yield Message(one.role, text, tool, _name(one.answers), ())
        return
    calls = [_call(call) for call in one.calls] if one.role is Role.ASSISTANT else []
    yield Message(one.role, text, "", "", tuple(calls[:CALLS_MAX]))
    for start in range(CALLS_MAX, len(calls), CALLS_MAX):
        yield Message(one.role, "", "", "", tuple(calls[start : start + CALLS_MAX]))


def _call(call: Wanted) -> Call:
    try:
        arguments = arguments_of(call.arguments)
    except InvalidInput:
        arguments = {UNREAD: _clean(call.arguments)}
    return Call(_name(call.id), _name(call.tool) or NOBODY, arguments)


def _name(text: str) -> str:
    """A name or an id; none if it is too long. A part of one would be another's."""
    return _clean(text) if len(text) <= NAME_CHARS else ""


def _clean(text: str) -> str:
    """Without lone surrogates, which have no canonical form."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _size(message: Message) -> int:
    """Bytes of the canonical form, with a comma."""
    frame = canonical(msgspec.to_builtins(msgspec.structs.replace(message, content="")))
    return len(frame) - 2 + _text_size(message.content) + 1


def _text_size(text: str) -> int:
    """Bytes of a string's canonical form: JSON's own, without any escape that is not needed."""
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8"))


def _end(one: Said, tools: Mapping[str, str], room: int) -> Iterator[Message]:
    """The end of a message's text, as much as fits; nothing if that is hardly any."""
    bare = next(_messages(msgspec.structs.replace(one, text="", calls=()), tools))
    room -= _size(bare)
    if room < CUT_MIN:
        return
    text = _clean(one.text[-room:])
    fits, too_many = 0, len(text) + 1
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if _text_size(text[-middle:]) - 2 <= room:
            fits = middle
        else:
            too_many = middle
    if fits:
        yield msgspec.structs.replace(bare, content=text[-fits:])
