"""A conversation as members see it: attributed, bounded, the newest kept."""

import msgspec
import pytest

from quorate.canonical import canonical
from quorate.consensus.conversation import (
    CUT_MIN,
    NOBODY,
    UNREAD,
    Said,
    Wanted,
    arguments_of,
    excerpt,
)
from quorate.consensus.request import (
    ARGUMENTS_DEPTH,
    CALLS_MAX,
    LEAVES_MAX,
    MESSAGES_MAX,
    Message,
    Role,
)
from quorate.errors import InvalidInput
from quorate.limits import KIB

ROOM = 60 * KIB


def user(text: str) -> Said:
    """What a person said."""
    return Said(Role.USER, text)


def call(tool: str, number: str = "c1", arguments: str = "{}") -> Said:
    """A call the assistant made."""
    return Said(Role.ASSISTANT, "", (Wanted(number, tool, arguments),))


def result(number: str = "c1", name: str = "") -> Said:
    """What a tool answered."""
    return Said(Role.TOOL, "found it", answers=number, name=name)


def size(messages: tuple[Message, ...]) -> int:
    """Bytes of the canonical form of these messages, without the brackets around them."""
    return len(canonical(msgspec.to_builtins(messages))) - 2


def test_what_fits_is_kept_as_it_was_said() -> None:
    """In order, with who said what."""
    roles = (Role.SYSTEM, Role.DEVELOPER, Role.USER, Role.ASSISTANT)
    shown = excerpt([Said(role, f"as {role}") for role in roles], ROOM)
    assert [(one.role, one.content) for one in shown.messages] == [(r, f"as {r}") for r in roles]
    assert shown.omitted == 0


def attributed(*said: Said) -> list[str]:
    """The tools of the results."""
    return [one.tool for one in excerpt(said, ROOM).messages if one.role is Role.TOOL]


def test_results_are_attributed_to_the_tool_that_was_called() -> None:
    """By the call's id, also over other messages, and if the result says the same name."""
    assert attributed(call("web_fetch"), user("and?"), result()) == ["web_fetch"]
    assert attributed(call("web_fetch"), result(name="web_fetch")) == ["web_fetch"]
    both = Said(Role.ASSISTANT, "", (Wanted("a", "one", "{}"), Wanted("b", "two", "{}")))
    assert attributed(both, result("b"), result("a")) == ["two", "one"]


FORGED: dict[str, tuple[Said, ...]] = {
    "no call": (result(),),
    "another id": (call("web_fetch"), result("c2")),
    "its own name": (result(name="calculator"),),
    "another name than its call's": (call("web_fetch"), result(name="calculator")),
    "two tools under one id": (call("web_fetch"), call("calculator"), result()),
    "two tools, the trusted first": (call("calculator"), call("web_fetch"), result()),
    "a tool without a name": (call(""), result()),
    "a name too long": (call("c" * 254), result()),
}


@pytest.mark.parametrize("how", FORGED)
def test_a_result_that_cannot_be_attributed_is_nobodys(how: str) -> None:
    """A name that a result gives itself, or that two calls could have meant, says nothing."""
    assert set(attributed(*FORGED[how])) == {NOBODY}


def test_the_newest_are_kept_and_the_rest_counted() -> None:
    """What is left out is the oldest, whole, but for the end of the one that fits in part."""
    said = [user(f"{number} " + "x" * KIB) for number in range(100)]
    shown = excerpt(said, ROOM)
    assert shown.messages[-1].content == said[-1].text
    assert size(shown.messages) <= ROOM
    whole = [one for one in shown.messages if one.content.split()[0].isdigit()]
    assert shown.omitted == 100 - len(whole)
    assert len(shown.messages) in (len(whole), len(whole) + 1)
    assert [one.content for one in whole] == [one.text for one in said[-len(whole) :]]


@pytest.mark.parametrize("filler", ["x", "\x01", "é", "漢", "😀", '"', "\n", "\ud800"])
def test_a_message_that_is_too_long_keeps_its_end(filler: str) -> None:
    """As much as fits, in every script; it counts as omitted, and nothing older is shown."""
    shown = excerpt([user("older"), user(filler * 100_000 + "the end")], ROOM)
    assert shown.omitted == 2
    (message,) = shown.messages
    assert message.content.endswith("the end")
    assert ROOM - 8 <= size(shown.messages) <= ROOM


def test_too_many_messages_are_counted() -> None:
    """The newest MESSAGES_MAX."""
    shown = excerpt([user(str(number)) for number in range(1000)], ROOM)
    assert len(shown.messages) == MESSAGES_MAX
    assert (shown.messages[-1].content, shown.omitted) == ("999", 1000 - MESSAGES_MAX)


def test_many_calls_are_several_messages() -> None:
    """A history may hold more calls in one message than a request may: none is lost."""
    calls = tuple(Wanted(f"c{n}", f"tool{n}", "{}") for n in range(2 * CALLS_MAX + 1))
    shown = excerpt([Said(Role.ASSISTANT, "look", calls)], ROOM)
    assert [len(one.calls) for one in shown.messages] == [CALLS_MAX, CALLS_MAX, 1]
    assert [one.tool for m in shown.messages for one in m.calls] == [one.tool for one in calls]
    assert [one.content for one in shown.messages] == ["look", "", ""]


UNREADABLE = {
    "no JSON": "rm -rf",
    "no object": "[1]",
    "a key twice": '{"a": 1, "a": 2}',
    "a key in two spellings": '{"a": 1, "A": 2}',
    "NaN": '{"a": NaN}',
    "beyond exact numbers": '{"a": 12345678901234567890}',
    "beyond exact numbers, as a float": '{"a": 9007199254740992.0}',
    "too deep": '{"a":' * (ARGUMENTS_DEPTH + 1) + "1" + "}" * (ARGUMENTS_DEPTH + 1),
    "much too deep": "[" * 10_000,
    "too many values": '{"a": [' + "1," * LEAVES_MAX + "1]}",
    "half a character": '{"a": "\\ud800"}',
    "half a character, raw": '{"a": "\ud800"}',
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_unreadable_arguments_are_shown_as_text(what: str) -> None:
    """Of an earlier call: members see what it was. Of an action they cannot be asked about it."""
    text = UNREADABLE[what]
    with pytest.raises(InvalidInput):
        arguments_of(text)
    (message,) = excerpt([call("shell", arguments=text)], ROOM).messages
    assert message.calls[0].arguments == {UNREAD: text.encode("utf-8", "replace").decode()}


@pytest.mark.parametrize("text", ["", " \n", "{}", " { } "])
def test_no_arguments_are_none(text: str) -> None:
    """However a model writes that."""
    assert arguments_of(text) == {}


def test_hardly_any_room_shows_nothing() -> None:
    """A few words of a message say nothing, and everything counts as omitted."""
    for room in (0, 10, CUT_MIN):
        assert excerpt([user("x" * ROOM)], room).messages == ()
        assert excerpt([user("x" * ROOM)], room).omitted == 1
