"""``POST /v1/chat/completions``: the request."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta

from quorate_sidecar.openai.fields import (
    Choices,
    Closed,
    LogitBias,
    Maybe,
    Metadata,
    Name,
    Penalty,
    Seed,
    Share,
    Stop,
    StreamOptions,
    Temperature,
    Tokens,
    ToolCall,
    Visitor,
    Word,
    visit_fixed,
)
from quorate_sidecar.openai.strict import StrictDecoder
from quorate_sidecar.refusal import Code, Refusal


class TextPart(Closed, tag_field="type", tag="text"):
    """A part of a message. Images, sound and files cannot be checked, so they are unknown here."""

    text: str


class RefusalPart(Closed, tag_field="type", tag="refusal"):
    """A part of an earlier answer in which the model refused."""

    refusal: str


Content = str | Annotated[list[TextPart], Meta(max_length=1024)]


class _Message(Closed, tag_field="role"):
    """What all messages share. The tag is the role."""


class _Said(_Message):
    content: Content
    name: Maybe[Name] = UNSET

    def visit(self, visitor: Visitor, where: str) -> None:
        """Show the visitor the texts of this message."""
        if self.name is not UNSET:
            visit_fixed(visitor, f"{where}.name", self.name)
        self.content = visit_content(visitor, f"{where}.content", self.content)


class SystemMessage(_Said, tag="system"):
    """What the application tells the model."""


class DeveloperMessage(_Said, tag="developer"):
    """The same under its newer name."""


class UserMessage(_Said, tag="user"):
    """What a person says."""


class ToolMessage(_Message, tag="tool"):
    """What a tool answered."""

    content: Content
    tool_call_id: Name
    name: Maybe[Name] = UNSET

    def visit(self, visitor: Visitor, where: str) -> None:
        """Show the visitor the texts of this message."""
        visitor.fixed(f"{where}.tool_call_id", self.tool_call_id)
        visit_fixed(visitor, f"{where}.name", self.name)
        self.content = visit_content(visitor, f"{where}.content", self.content)


class AssistantMessage(_Message, tag="assistant"):
    """What the model said earlier."""

    content: Maybe[str | Annotated[list[TextPart | RefusalPart], Meta(max_length=1024)]] = UNSET
    name: Maybe[Name] = UNSET
    refusal: Maybe[str] = UNSET
    reasoning_content: Maybe[str] = UNSET
    reasoning: Maybe[str] = UNSET
    tool_calls: Maybe[Annotated[list[ToolCall], Meta(max_length=128)]] = UNSET

    def visit(self, visitor: Visitor, where: str) -> None:
        """Show the visitor the texts of this message."""
        visit_fixed(visitor, f"{where}.name", self.name)
        if isinstance(self.content, str):
            self.content = visitor.prose(f"{where}.content", self.content)
        elif isinstance(self.content, list):
            texts = [_visit_part(visitor, f"{where}.content", part) for part in self.content]
            if len(texts) > 1:
                visitor.joined(f"{where}.content", texts)
        for field in ("refusal", "reasoning_content", "reasoning"):
            text = getattr(self, field)
            if text:
                setattr(self, field, visitor.prose(f"{where}.{field}", text))
        for index, call in enumerate(self.tool_calls or ()):
            call.visit(visitor, f"{where}.tool_calls[{index}]")


Message = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage


def _visit_part(visitor: Visitor, where: str, part: TextPart | RefusalPart) -> str:
    if isinstance(part, TextPart):
        part.text = visitor.prose(where, part.text)
        return part.text
    part.refusal = visitor.prose(where, part.refusal)
    return part.refusal


def visit_content(visitor: Visitor, where: str, content: Content) -> Content:
    """Show the visitor a message's text or its parts, and the parts as the model reads them."""
    if isinstance(content, str):
        return visitor.prose(where, content)
    texts = [_visit_part(visitor, where, part) for part in content]
    if len(texts) > 1:
        visitor.joined(where, texts)
    return content


class FunctionDefinition(Closed):
    """A function that the model may call; ``parameters`` is a JSON Schema."""

    name: Name
    description: Maybe[str] = UNSET
    parameters: Maybe[dict[str, Any]] = UNSET
    strict: Maybe[bool] = UNSET


class Tool(Closed):
    """A tool that the model may use."""

    type: Literal["function"]
    function: FunctionDefinition


class ChosenFunction(Closed):
    """The name of the function to call."""

    name: Name


class ToolChoice(Closed):
    """The tool that must be used."""

    type: Literal["function"]
    function: ChosenFunction


class TextFormat(Closed, tag_field="type", tag="text"):
    """Free text."""


class JsonFormat(Closed, tag_field="type", tag="json_object"):
    """Any JSON object."""


class JsonSchema(Closed):
    """The schema that an answer must satisfy."""

    name: Name
    description: Maybe[str] = UNSET
    schema: Maybe[dict[str, Any]] = UNSET
    strict: Maybe[bool] = UNSET


class SchemaFormat(Closed, tag_field="type", tag="json_schema"):
    """JSON of one schema."""

    json_schema: JsonSchema


class ChatRequest(Closed):
    """OpenAI's fields, and the sampling fields that vLLM, llama.cpp and TGI share."""

    model: Name
    messages: Annotated[list[Message], Meta(min_length=1, max_length=4096)]
    frequency_penalty: Maybe[Penalty] = UNSET
    logit_bias: Maybe[LogitBias] = UNSET
    logprobs: Maybe[bool] = UNSET
    max_completion_tokens: Maybe[Tokens] = UNSET
    max_tokens: Maybe[Tokens] = UNSET
    metadata: Maybe[Metadata] = UNSET
    min_p: Maybe[Share] = UNSET
    min_tokens: Maybe[Tokens] = UNSET
    modalities: Maybe[list[Literal["text"]]] = UNSET
    n: Maybe[Choices] = UNSET
    parallel_tool_calls: Maybe[bool] = UNSET
    presence_penalty: Maybe[Penalty] = UNSET
    prompt_cache_key: Maybe[Name] = UNSET
    reasoning_effort: Maybe[Word] = UNSET
    repetition_penalty: Maybe[Temperature] = UNSET
    response_format: Maybe[TextFormat | JsonFormat | SchemaFormat] = UNSET
    safety_identifier: Maybe[Name] = UNSET
    seed: Maybe[Seed] = UNSET
    service_tier: Maybe[Word] = UNSET
    stop: Maybe[Stop] = UNSET
    store: Maybe[bool] = UNSET
    stream: Maybe[bool] = UNSET
    stream_options: Maybe[StreamOptions] = UNSET
    temperature: Maybe[Temperature] = UNSET
    tool_choice: Maybe[Literal["none", "auto", "required"] | ToolChoice] = UNSET
    tools: Maybe[Annotated[list[Tool], Meta(max_length=128)]] = UNSET
    top_k: Maybe[Annotated[int, Meta(ge=-1, le=2**31)]] = UNSET
    top_p: Maybe[Share] = UNSET
    user: Maybe[str] = UNSET
    verbosity: Maybe[Word] = UNSET

    @property
    def streams(self) -> bool:
        """True if the client wants events."""
        return self.stream is True

    def visit(self, visitor: Visitor) -> None:
        """Show the visitor every text that reaches the model or its server."""
        for index, message in enumerate(self.messages):
            message.visit(visitor, f"messages[{index}]")
        if self.tools:
            self._visit_tools(visitor, self.tools)
        if isinstance(self.response_format, SchemaFormat):
            schema = self.response_format.json_schema
            for value in (schema.name, schema.description, schema.schema):
                visit_fixed(visitor, "response_format.json_schema", value)
        if isinstance(self.tool_choice, ToolChoice):
            visitor.fixed("tool_choice", self.tool_choice.function.name)
        visitor.fixed("model", self.model)
        for field in ("stop", "user", "metadata", "prompt_cache_key", "safety_identifier"):
            if (value := getattr(self, field)) is not UNSET:
                visit_fixed(visitor, field, value)
        if self.logprobs:
            raise refused_logprobs()

    def _visit_tools(self, visitor: Visitor, tools: list[Tool]) -> None:
        for index, tool in enumerate(tools):
            function, where = tool.function, f"tools[{index}].function"
            visitor.fixed(f"{where}.name", function.name)
            visit_fixed(visitor, f"{where}.description", function.description)
            visit_fixed(visitor, f"{where}.parameters", function.parameters)


def refused_logprobs() -> Refusal:
    """Log probabilities repeat the answer token by token, past the hold-back."""
    message = "logprobs: the answer's tokens would leave unchecked; send the request without them"
    return Refusal(400, Code.UNSUPPORTED, message, param="logprobs")


CHAT_REQUEST = StrictDecoder(ChatRequest)
