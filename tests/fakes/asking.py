"""Requests as a sidecar would make them."""

from typing import Any

from quorate.consensus import request as requests
from quorate.consensus.request import Band, Call, Message, Principal, Request, Risk, Role

DIGESTS = tuple(f"sha256:{char * 64}" for char in "ab")
PRINCIPAL = Principal("team-a", "chat-0", "demo", f"sha256:{'c' * 64}", DIGESTS)


def said(role: Role, content: str, *calls: Call) -> Message:
    """What a person, the system or the assistant said."""
    return Message(role, content, "", "", calls)


def user(content: str) -> Message:
    """What the user said."""
    return said(Role.USER, content)


def system(content: str) -> Message:
    """What the system says."""
    return said(Role.SYSTEM, content)


def result(content: str, tool: str = "web_fetch", call: str = "c1") -> Message:
    """What a tool answered."""
    return Message(Role.TOOL, content, tool, call, ())


def called(tool: str, **arguments: Any) -> Message:
    """A call the assistant made."""
    return said(Role.ASSISTANT, "", Call("c1", tool, arguments))


def request(*conversation: Message, **fields: Any) -> Request:
    """A request to answer, unless the fields say otherwise."""
    whole: dict[str, Any] = {
        "version": 1,
        "principal": PRINCIPAL,
        "capability": "chat",
        "tool": "",
        "action_class": "answer",
        "arguments": {},
        "conversation": conversation,
        "omitted": 0,
        "risk": Risk(400, Band.MEDIUM),
    }
    return Request(**(whole | fields))


def action(tool: str, action_class: str, *conversation: Message, **arguments: Any) -> Request:
    """A request to call a tool."""
    return request(
        *conversation,
        capability="tools",
        tool=tool,
        action_class=action_class,
        arguments=arguments,
        risk=Risk(750, Band.HIGH),
    )


def encoded(made: Request) -> bytes:
    """Its canonical form, checked."""
    return requests.encode(made)
