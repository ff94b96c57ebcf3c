"""``POST /v1/chat/completions``: the answer, whole and in chunks.

Fields that servers add and that carry no text are read and dropped; see the comments.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta

from quorate_sidecar.openai.answer import AnswerDecoder
from quorate_sidecar.openai.fields import (
    Closed,
    Maybe,
    Name,
    ToolCall,
    Usage,
    Visitor,
    Word,
)

Index = Annotated[int, Meta(ge=0, le=127)]
Empty = Annotated[list[Any], Meta(max_length=0)]
Numbers = dict[Word, int | float | None]


class Envelope(Closed, kw_only=True):
    """What frames every answer, whole or chunk, of chat and of completions."""

    id: Name
    created: int
    model: Name
    usage: Maybe[Usage] = UNSET
    system_fingerprint: Maybe[Name] = UNSET
    service_tier: Maybe[Word] = UNSET
    # vLLM and llama.cpp add these; dropped.
    prompt_logprobs: None = None
    prompt_token_ids: None = None
    kv_transfer_params: None = None
    timings: Maybe[Numbers] = UNSET

    def names(self) -> tuple[Any, ...]:
        """The short texts of the envelope. The id is not one: it is replaced by our own."""
        return (self.model, self.system_fingerprint, self.service_tier)

    def drop_extras(self) -> None:
        """Forget what is not part of OpenAI's answer."""
        self.timings = UNSET

    def visit_envelope(self, visitor: Visitor) -> None:
        """Show the visitor the names in the envelope."""
        visitor.fixed("envelope", " ".join(name for name in self.names() if name))


class Choice(Closed, kw_only=True):
    """What every choice has. ``logprobs`` must be null: they would repeat the text unchecked."""

    index: Index
    finish_reason: Maybe[Word] = UNSET
    logprobs: Maybe[None] = UNSET
    # vLLM adds these; dropped.
    stop_reason: Maybe[int | str] = UNSET
    prompt_logprobs: None = None
    token_ids: None = None

    def drop_extras(self) -> None:
        """Forget what is not part of OpenAI's answer."""
        self.stop_reason = UNSET


class AnswerMessage(Closed):
    """What the model said."""

    role: Literal["assistant"]
    content: Maybe[str] = UNSET
    refusal: Maybe[str] = UNSET
    reasoning_content: Maybe[str] = UNSET
    reasoning: Maybe[str] = UNSET
    tool_calls: Maybe[list[ToolCall]] = UNSET
    annotations: Maybe[Empty] = UNSET
    audio: None = None
    function_call: None = None


TEXT_FIELDS = ("content", "refusal", "reasoning_content", "reasoning")


class ChatChoice(Choice, kw_only=True):
    """One of ``n`` answers."""

    message: AnswerMessage

    def visit(self, visitor: Visitor) -> None:
        """Show the visitor the texts of this choice."""
        where = f"choices[{self.index}].message"
        for field in TEXT_FIELDS:
            text = getattr(self.message, field)
            if text:
                setattr(self.message, field, visitor.prose(f"{where}.{field}", text))
        for index, call in enumerate(self.message.tool_calls or ()):
            call.visit(visitor, f"{where}.tool_calls[{index}]")
        self.drop_extras()


class ChatAnswer(Envelope, kw_only=True):
    """A whole answer."""

    object: Literal["chat.completion"]
    choices: Annotated[list[ChatChoice], Meta(max_length=16)]

    def visit(self, visitor: Visitor) -> None:
        """Show the visitor every text, and drop what is not OpenAI's."""
        self.visit_envelope(visitor)
        for choice in self.choices:
            choice.visit(visitor)
        self.drop_extras()


class FunctionDelta(Closed):
    """A piece of a call's arguments."""

    name: Maybe[Name] = UNSET
    arguments: Maybe[str] = UNSET


class ToolCallDelta(Closed):
    """A piece of a call."""

    index: Index
    id: Maybe[Name] = UNSET
    type: Maybe[Literal["function"]] = UNSET
    function: Maybe[FunctionDelta] = UNSET


class Delta(Closed):
    """What a chunk adds to a choice."""

    role: Maybe[Literal["assistant"]] = UNSET
    content: Maybe[str] = UNSET
    refusal: Maybe[str] = UNSET
    reasoning_content: Maybe[str] = UNSET
    reasoning: Maybe[str] = UNSET
    tool_calls: Maybe[Annotated[list[ToolCallDelta], Meta(max_length=128)]] = UNSET
    function_call: None = None


class ChatChunkChoice(Choice, kw_only=True):
    """A piece of one of ``n`` answers."""

    delta: Delta

    def take(self) -> dict[str, str]:
        """Remove the texts; returns them by lane."""
        delta, taken = self.delta, {}
        for field in TEXT_FIELDS:
            text = getattr(delta, field)
            if text:
                taken[field] = text
                setattr(delta, field, UNSET)
        for call in delta.tool_calls or ():
            function = call.function
            if isinstance(function, FunctionDelta) and function.arguments:
                lane = f"tool_calls.{call.index}"
                taken[lane] = taken.get(lane, "") + function.arguments
                function.arguments = UNSET
        return taken

    def take_calls(self) -> list[ToolCallDelta]:
        """Remove the calls, after :meth:`take`: their ids and names."""
        calls, self.delta.tool_calls = self.delta.tool_calls, UNSET
        return calls or []

    def put(self, released: dict[str, str]) -> None:
        """Add texts that may leave, by field."""
        for field, text in released.items():
            if text:
                setattr(self.delta, field, text)

    def put_calls(self, calls: list[ToolCallDelta]) -> None:
        """Add calls that may leave, each whole."""
        if calls:
            self.delta.tool_calls = calls

    def fixed(self) -> list[str]:
        """Texts that arrive whole and cannot be masked: ids and names of calls."""
        found: list[str] = []
        for call in self.delta.tool_calls or ():
            name = call.function.name if isinstance(call.function, FunctionDelta) else UNSET
            found += [text for text in (call.id, name) if isinstance(text, str) and text]
        return found

    def empty(self) -> bool:
        """True if nothing is left that is worth a chunk."""
        delta = self.delta
        kept = (delta.role, delta.content, delta.refusal, delta.reasoning_content, delta.reasoning)
        # null and "" say nothing on their own, but a role may come with them.
        return not any(field for field in kept if field is not UNSET) and not delta.tool_calls

    def finishing(self, finish_reason: str) -> "ChatChunkChoice":
        """The last piece of this choice: no text, only why it ended."""
        return ChatChunkChoice(index=self.index, delta=Delta(), finish_reason=finish_reason)

    @classmethod
    def blank(cls, index: int) -> "ChatChunkChoice":
        """A piece without anything, to put text into."""
        return cls(index=index, delta=Delta(), finish_reason=None)


class ChatChunk(Envelope, kw_only=True):
    """One event of a streamed answer."""

    object: Literal["chat.completion.chunk"]
    choices: Annotated[list[ChatChunkChoice], Meta(max_length=16)]


CHAT_ANSWER = AnswerDecoder(ChatAnswer)
CHAT_CHUNK = AnswerDecoder(ChatChunk)
