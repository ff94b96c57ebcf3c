"""Blanks: requests of nobody, which say the same of the action whoever fills them in."""

from typing import Any

import msgspec
import pytest

from quorate.canonical import canonical
from quorate.consensus import blank
from quorate.consensus import request as requests
from quorate.consensus.blank import BLANK_BYTES, SOMEBODY, AskedAs, Blank
from quorate.consensus.request import Band, Message, Risk, Role
from quorate.errors import InvalidInput, QuorateError
from tests.fakes.blanks import somebody

SAID = Message(Role.USER, "drop the table", "", "", ())
CALL = {"id": "", "tool": "t", "arguments": {}}
ONE = Blank(1, "sql.run", {"query": "DROP TABLE users"}, (SAID,), 0, Risk(800, Band.HIGH))


def plain(**changes: Any) -> bytes:
    """The canonical form of ONE with changes, however wrong."""
    return canonical(msgspec.to_builtins(ONE) | changes)


@pytest.mark.requirement("committee: what was asked, without its target, is what was committed to")
def test_a_request_without_its_target_is_what_was_committed_to() -> None:
    """Whoever fills it in: all but the target is the blank, and the target what was filled in."""
    data = blank.encode(ONE)
    for asked_as in (SOMEBODY, somebody("chat-0")):
        request = requests.parse(blank.fill(data, asked_as))
        document = request.document
        for name in ("principal", "capability", "actionClass"):
            del document[name]
        assert canonical(document) == data
        assert AskedAs(request.principal, request.capability, request.action_class) == asked_as


def test_two_pods_never_ask_the_same_request() -> None:
    """One blank, two names, two requests."""
    data = blank.encode(ONE)
    assert blank.fill(data, somebody("chat-0")) != blank.fill(data, somebody("chat-1"))


BAD: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "another form": plain() + b" ",
    "a target": plain(capability="chat"),
    "no risk": canonical({k: v for k, v in msgspec.to_builtins(ONE).items() if k != "risk"}),
    "a part of a conversation": plain(omitted=1),
    "a band below its score": plain(risk={"score": 800, "band": "local"}),
    "another version": plain(version=2),
    "calls of a user": plain(conversation=[{**msgspec.to_builtins(SAID), "calls": [CALL]}]),
    "too large": plain(arguments={"text": "x" * BLANK_BYTES}),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_cannot_be_asked_is_no_canary(data: bytes) -> None:
    """Refused before it is asked, and in whatever accusation holds it."""
    with pytest.raises(QuorateError):
        blank.fill(data, SOMEBODY)


def test_what_cannot_be_asked_is_not_made() -> None:
    """Of the maker's own words."""
    with pytest.raises(InvalidInput):
        blank.encode(msgspec.structs.replace(ONE, arguments={"text": "x" * BLANK_BYTES}))
    with pytest.raises(InvalidInput):
        blank.encode(msgspec.structs.replace(ONE, risk=Risk(800, Band.LOCAL)))
