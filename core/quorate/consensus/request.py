"""What is judged: one action of one workload, and the conversation it came from. Pure.

A canonical JSON document (RFC 8785) with every field present, so one request has one digest. What
it says of itself is not trusted: members hold what they know of the principal against it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec

from quorate import limits
from quorate.canonical import canonical, is_canonical, parse_object
from quorate.consensus.wire import REQUEST_BYTES, SCORE_MAX
from quorate.errors import InvalidInput, LimitExceeded
from quorate.statements import DigestText, Identifier, convert

VERSION: Final = 1
MESSAGES_MAX: Final = 256
CALLS_MAX: Final = 32
"""Calls that one message of the assistant makes."""
ARGUMENTS_DEPTH: Final = 16
LEAVES_MAX: Final = 4_096
"""Values in the arguments of one call."""
ADMISSION: Final = "admission"
"""The capability of an ask to certify a model: its arguments are a certificate's statement."""
CERTIFY: Final = "certify"
"""The action class of such an ask."""

Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*\Z", max_length=63)]
ToolName = Annotated[str, msgspec.Meta(max_length=253)]
_Text = Annotated[str, msgspec.Meta(max_length=REQUEST_BYTES)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**31)]


class Role(StrEnum):
    """Who said something. ``TOOL`` is what a tool answered."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Band(StrEnum):
    """How a risk is decided, from the mildest. ``CRITICAL`` is high, and a human."""

    LOCAL = "local"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


BANDS: Final = tuple(Band)
BAND_FROM: Final[Mapping[Band, int]] = {Band.LOCAL: 0, Band.MEDIUM: 300, Band.HIGH: 700}
"""The least score of each band. A floor of the policy may raise a band; nothing lowers it."""


def band_of(score: int) -> Band:
    """The least band that ``score``, in thousandths, falls into. Never CRITICAL: that takes a
    floor."""
    return [band for band, least in BAND_FROM.items() if score >= least][-1]


class Principal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Whose action it is: the workload, the model it serves, and the policies it is held to."""

    namespace: Identifier
    workload: Identifier
    model: Identifier
    manifest_digest: DigestText
    policy_digests: Annotated[
        tuple[DigestText, ...], msgspec.Meta(min_length=1, max_length=limits.POLICIES_PER_POD)
    ]
    """Sorted, each once."""


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call that the assistant made earlier."""

    id: ToolName
    tool: ToolName
    arguments: dict[str, Any]


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the conversation. ``tool`` and ``call`` say what a TOOL message answers; ``calls``
    are an ASSISTANT's. Empty otherwise."""

    role: Role
    content: _Text
    tool: ToolName
    call: ToolName
    calls: Annotated[tuple[Call, ...], msgspec.Meta(max_length=CALLS_MAX)]


class Risk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The asker's own estimate, in thousandths, and the band it fell into."""

    score: Annotated[int, msgspec.Meta(ge=0, le=SCORE_MAX)]
    band: Band


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One request. ``tool`` is empty for an answer that calls none."""

    version: Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)]
    principal: Principal
    capability: Word
    tool: ToolName
    action_class: Word
    arguments: dict[str, Any]
    conversation: Annotated[tuple[Message, ...], msgspec.Meta(max_length=MESSAGES_MAX)]
    omitted: _Count
    """Messages of the conversation that are not here, or of which only the end is: the excerpt ends
    with the newest."""
    risk: Risk

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object it was read from."""
        builtins: dict[str, Any] = msgspec.to_builtins(self)
        return builtins


def encode(request: Request) -> bytes:
    """The canonical form. Raises InvalidInput for what :func:`parse` would refuse."""
    data = canonical(request.document)
    parse(data)
    return data


def parse(data: bytes) -> Request:
    """Read a request. Raises InvalidInput, LimitExceeded for anything but one canonical form."""
    document = parse_object(data, bytes_max=REQUEST_BYTES, what="request")
    if not is_canonical(document, data):
        raise InvalidInput("is not in its canonical form", field="request")
    request = convert(document, Request, "request")
    _check(request)
    return request


def _check(request: Request) -> None:
    digests = request.principal.policy_digests
    if list(digests) != sorted(set(digests)):
        raise _invalid("principal.policyDigests", "must be sorted, each once")
    least = band_of(request.risk.score)
    if BANDS.index(request.risk.band) < BANDS.index(least):
        raise _invalid("risk.band", f"must be at least {least} for a score of {request.risk.score}")
    if (request.capability == ADMISSION) != (request.action_class == CERTIFY):
        raise _invalid("actionClass", f"must be {CERTIFY} for {ADMISSION}, and for nothing else")
    check_arguments(request.arguments, "arguments")
    for index, message in enumerate(request.conversation):
        _check_message(message, f"conversation[{index}]")


def _check_message(message: Message, where: str) -> None:
    if message.calls and message.role is not Role.ASSISTANT:
        raise _invalid(f"{where}.calls", "only an assistant calls")
    if bool(message.tool) != (message.role is Role.TOOL):
        raise _invalid(f"{where}.tool", "must name what answers, and only a tool has a name")
    if message.call and message.role is not Role.TOOL:
        raise _invalid(f"{where}.call", "only a tool answers a call")
    for number, call in enumerate(message.calls):
        check_arguments(call.arguments, f"{where}.calls[{number}].arguments")


def check_arguments(arguments: Mapping[str, Any], where: str) -> None:
    """Bound what judges walk through. Raises LimitExceeded, naming ``where``."""
    level: list[Any] = [arguments]
    count = 0
    for _ in range(ARGUMENTS_DEPTH):
        below: list[Any] = []
        for value in level:
            below.extend(value.values() if isinstance(value, dict) else value)
        count += len(below)
        if count > LEAVES_MAX:
            raise LimitExceeded(f"more than {LEAVES_MAX} values", field=f"request.{where}")
        level = [value for value in below if isinstance(value, dict | list)]
        if not level:
            return
    raise LimitExceeded(f"nested deeper than {ARGUMENTS_DEPTH} levels", field=f"request.{where}")


def _invalid(where: str, why: str) -> InvalidInput:
    return InvalidInput(why, field=f"request.{where}")
