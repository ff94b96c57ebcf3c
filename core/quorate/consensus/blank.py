"""Requests that leave open whose action it is: what canaries are, before anybody asks. Pure.

Members vote on a request only if it says of the asking pod what they know of it. A canary is made
when no such pod is known, and outlives its pods; so it leaves open what names the pod, and what the
pod's policies make of the action. Everything else is committed to.
"""

from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec

from quorate import limits
from quorate.canonical import canonical, parse_object
from quorate.consensus import request as requests
from quorate.consensus.request import (
    MESSAGES_MAX,
    VERSION,
    Message,
    Principal,
    Request,
    Risk,
    ToolName,
    Word,
)
from quorate.errors import InvalidInput
from quorate.statements import convert

BLANK_BYTES: Final = 16 * limits.KIB
"""So that a whole accusation stays within what members take."""


class Blank(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request without its target."""

    version: Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)]
    tool: ToolName
    arguments: dict[str, Any]
    conversation: Annotated[tuple[Message, ...], msgspec.Meta(max_length=MESSAGES_MAX)]
    omitted: Annotated[int, msgspec.Meta(ge=0, le=0)]
    risk: Risk
    """Members do not compare it with anything, so whoever asks may not choose it."""


class AskedAs(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The target: what is filled in. A member that knows better abstains."""

    principal: Principal
    capability: Word
    action_class: Word


def encode(blank: Blank) -> bytes:
    """The canonical form. Raises InvalidInput, LimitExceeded for what cannot be asked."""
    data = canonical(msgspec.to_builtins(blank))
    fill(data, SOMEBODY)
    return data


def parse(data: bytes) -> Blank:
    """Read one. Raises InvalidInput, LimitExceeded for anything but one canonical form."""
    document = parse_object(data, bytes_max=BLANK_BYTES, what="canary")
    if canonical(document) != data:
        raise InvalidInput("is not in its canonical form", field="canary")
    return convert(document, Blank, "canary")


@lru_cache(maxsize=32)
def fill(data: bytes, asked_as: AskedAs) -> bytes:
    """The request as it is asked. Raises as :func:`parse` and as a request's own ``encode``.

    Remembered: a run is recomputed with the same few by whoever looks at several votes on each.
    """
    blank = parse(data)
    return requests.encode(
        Request(
            version=blank.version,
            principal=asked_as.principal,
            capability=asked_as.capability,
            tool=blank.tool,
            action_class=asked_as.action_class,
            arguments=blank.arguments,
            conversation=blank.conversation,
            omitted=blank.omitted,
            risk=blank.risk,
        )
    )


_NONE: Final = f"sha256:{'0' * 64}"
SOMEBODY: Final = AskedAs(Principal("none", "none", "none", _NONE, (_NONE,)), "none", "none")
"""Nobody's target, to see whether a blank can be filled at all."""
