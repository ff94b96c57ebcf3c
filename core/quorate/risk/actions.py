"""What a model's answer would do, and for each action the request that asks about it. Pure.

An answer is one action by itself; each call in it is another. The request of a call shows members
the conversation, the answer's text, and the calls before it in the same answer: what is done in two
steps is seen as one. What cannot be asked about is :class:`Unjudgeable`, which is a DENY.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from quorate.canonical import canonical
from quorate.consensus import request as requests
from quorate.consensus.conversation import NAME_CHARS, Said, Wanted, arguments_of, excerpt
from quorate.consensus.request import (
    CALLS_MAX,
    MESSAGES_MAX,
    VERSION,
    Principal,
    Request,
    Role,
)
from quorate.consensus.wire import REQUEST_BYTES
from quorate.errors import InvalidInput
from quorate.risk.rules import RiskTable
from quorate.risk.score import Assessment, Signals, assess
from quorate.statements import convert

ARGUMENTS: Final = "ArgumentsNotUnderstood"
TOOL_NAME: Final = "ToolNameInvalid"
TOO_MANY: Final = "TooManyCalls"
TOO_LARGE: Final = "ActionTooLarge"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that would be done. ``tool`` is empty for the answer itself; ``place`` is how many
    calls of the same answer come before."""

    tool: str
    arguments: dict[str, Any]
    place: int
    assessment: Assessment


@dataclass(frozen=True, slots=True)
class Unjudgeable:
    """Something that nobody can be asked about. ``reason`` is a stable word, ``message`` for people
    and without any of the model's own words."""

    place: int
    reason: str
    message: str


def principal_of(
    *, namespace: str, workload: str, model: str, manifest_digest: str, policies: Collection[str]
) -> Principal:
    """The principal of a pod, from its signed state. ``workload`` is the pod's name.

    Raises InvalidInput for what is no such identity.
    """
    document = {
        "namespace": namespace,
        "workload": workload,
        "model": model,
        "manifestDigest": manifest_digest,
        "policyDigests": sorted(set(policies)),
    }
    return convert(document, Principal, "principal")


def actions(
    history: Sequence[Said],
    answer: Said | None,
    tables: Collection[RiskTable],
    found: frozenset[str] = frozenset(),
) -> tuple[Action | Unjudgeable, ...]:
    """What ``answer`` to ``history`` would do; before there is an answer, what answering would.

    ``found``: content checks that found something in either. Never raises.
    """
    calls = answer.calls if answer else ()
    said = signals_of(history, found)
    acts: list[Action | Unjudgeable] = []
    if answer is None or answer.text or not calls:
        acts.append(Action("", {}, 0, assess(said, tables)))
    for place, call in enumerate(calls):
        arguments = _arguments(call, place)
        if isinstance(arguments, Unjudgeable):
            acts.append(arguments)
            continue
        size = len(call.arguments.encode("utf-8", "replace"))
        signals = Signals(call.tool, size, said.outside, said.long, found)
        acts.append(Action(call.tool, arguments, place, assess(signals, tables)))
    return tuple(acts)


def signals_of(history: Sequence[Said], found: frozenset[str] = frozenset()) -> Signals:
    """What is known of answering ``history``, whatever the answer says."""
    outside, length = False, 0
    for one in history:
        outside = outside or one.role is Role.TOOL
        length += len(one.text)
        for call in one.calls:
            length += len(call.arguments)
    long = len(history) > MESSAGES_MAX or length > REQUEST_BYTES // 2
    return Signals("", outside=outside, long=long, found=found)


def _arguments(call: Wanted, place: int) -> dict[str, Any] | Unjudgeable:
    if place >= CALLS_MAX:
        message = f"an answer may make at most {CALLS_MAX} calls"
        return Unjudgeable(place, TOO_MANY, message)
    if not call.tool or len(call.tool) > NAME_CHARS or not call.tool.isprintable():
        message = f"a tool's name has 1 to {NAME_CHARS} characters that can be shown"
        return Unjudgeable(place, TOOL_NAME, message)
    try:
        return arguments_of(call.arguments)
    except InvalidInput:
        message = "the arguments are not one JSON object of one reading within its bounds"
        return Unjudgeable(place, ARGUMENTS, message)


def draft(
    action: Action, history: Sequence[Said], answer: Said | None, principal: Principal
) -> bytes | Unjudgeable:
    """The canonical request that asks about ``action``. At most REQUEST_BYTES; never raises.

    The same action in the same conversation is the same request, byte by byte.
    """
    said = list(history)
    before = answer.calls[: action.place] if answer else ()
    if answer and (answer.text or before):
        said.append(Said(Role.ASSISTANT, answer.text, before))
    assessment = action.assessment
    fields: dict[str, Any] = {
        "version": VERSION,
        "principal": principal,
        "capability": assessment.capability,
        "tool": action.tool,
        "action_class": assessment.action_class.value,
        "arguments": action.arguments,
        "risk": assessment.risk,
    }
    try:
        # Never wider than this: a count of messages takes the most digits when all are left out.
        frame = Request(**fields, conversation=(), omitted=len(said))
        shown = excerpt(said, REQUEST_BYTES - len(canonical(frame.document)))
        return requests.encode(
            Request(**fields, conversation=shown.messages, omitted=shown.omitted)
        )
    except InvalidInput:
        message = "the action and its arguments are larger than members may be asked about"
        return Unjudgeable(action.place, TOO_LARGE, message)
