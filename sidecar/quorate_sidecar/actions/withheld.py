"""What is kept of one choice of a streamed answer until it is decided: its calls, and its text
where text is an action too. Pure.
"""

from collections.abc import Iterable

from msgspec import UNSET

from quorate.consensus.conversation import Said
from quorate_sidecar.openai.answer import not_understood
from quorate_sidecar.openai.chat_answer import (
    TEXT_FIELDS,
    AnswerMessage,
    FunctionDelta,
    ToolCallDelta,
)
from quorate_sidecar.openai.conversation import answered
from quorate_sidecar.openai.fields import Function, ToolCall

COMPLETION_FIELD = "text"
_CALL = "tool_calls."


class _Call:
    """One call in the making. An id or a name arrives once: of two, clients make what they like."""

    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id = self.name = ""
        self.arguments: list[str] = []

    def add(self, delta: ToolCallDelta) -> None:
        self.id = _once(self.id, delta.id, "id")
        if isinstance(delta.function, FunctionDelta):
            self.name = _once(self.name, delta.function.name, "name")


def _once(known: str, said: object, what: str) -> str:
    if not isinstance(said, str) or not said or said == known:
        return known
    if known:
        raise not_understood(f"a call changes its {what}")
    return said


class Withheld:
    """Gathers checked pieces of one choice; gives the whole, and what was not sent of it."""

    def __init__(self, *, streams_prose: bool) -> None:
        self._streams_prose = streams_prose
        self._texts: dict[str, list[str]] = {}
        self._calls: dict[int, _Call] = {}

    def add_calls(self, deltas: Iterable[ToolCallDelta]) -> None:
        """Ids and names of calls. Raises Refusal for a call that changes one."""
        for delta in deltas:
            self._calls.setdefault(delta.index, _Call()).add(delta)

    def add_texts(self, released: dict[str, str]) -> dict[str, str]:
        """Texts that the checks let out, by lane; returns those that may leave now."""
        passing: dict[str, str] = {}
        for lane, text in released.items():
            if lane.startswith(_CALL):
                index = int(lane.removeprefix(_CALL))
                self._calls.setdefault(index, _Call()).arguments.append(text)
                continue
            self._texts.setdefault(lane, []).append(text)
            if self._streams_prose:
                passing[lane] = text
        return passing

    def said(self) -> Said:
        """The choice as members are asked about it."""
        if COMPLETION_FIELD in self._texts:
            return answered("".join(self._texts[COMPLETION_FIELD]))
        calls = [
            ToolCall(
                id=call.id,
                type="function",
                function=Function(name=call.name, arguments="".join(call.arguments)),
            )
            for _, call in self._ordered()
        ]
        message = AnswerMessage(role="assistant", tool_calls=calls if calls else UNSET)
        for field in TEXT_FIELDS:
            setattr(message, field, "".join(self._texts.get(field, ())))
        return answered(message)

    def kept_texts(self) -> dict[str, str]:
        """Texts that did not leave yet, by lane."""
        if self._streams_prose:
            return {}
        return {lane: "".join(parts) for lane, parts in self._texts.items()}

    def kept_calls(self) -> list[ToolCallDelta]:
        """The calls, each whole."""
        return [
            ToolCallDelta(
                index=index,
                id=call.id,
                type="function",
                function=FunctionDelta(name=call.name, arguments="".join(call.arguments)),
            )
            for index, call in self._ordered()
        ]

    def _ordered(self) -> list[tuple[int, _Call]]:
        return sorted(self._calls.items())
