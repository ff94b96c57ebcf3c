"""What was said, as the committee is asked about it: OpenAI's bodies in the core's words. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

from quorate.consensus.conversation import Said, Wanted
from quorate.consensus.request import Role
from quorate_sidecar.openai.chat_answer import TEXT_FIELDS, AnswerMessage
from quorate_sidecar.openai.chat_request import (
    AssistantMessage,
    ChatRequest,
    DeveloperMessage,
    Message,
    SystemMessage,
    TextPart,
    ToolMessage,
    UserMessage,
)
from quorate_sidecar.openai.completion_request import CompletionRequest
from quorate_sidecar.openai.fields import ToolCall

Conversation = ChatRequest | CompletionRequest
"""A body that a model answers with words."""

_ROLES: dict[type, Role] = {
    SystemMessage: Role.SYSTEM,
    DeveloperMessage: Role.DEVELOPER,
    UserMessage: Role.USER,
}
"""Of those who say nothing but a text."""


def asked(request: Conversation) -> tuple[Said, ...]:
    """The conversation that a request continues."""
    if isinstance(request, ChatRequest):
        return tuple([_said(message) for message in request.messages])
    prompts = [request.prompt] if isinstance(request.prompt, str) else request.prompt
    suffix = [request.suffix] if request.suffix else []
    return tuple(Said(Role.USER, text) for text in (*prompts, *suffix))


def answered(message: AnswerMessage | str) -> Said:
    """What a model answered: one choice of a chat, or a completion's text."""
    if isinstance(message, str):
        return Said(Role.ASSISTANT, message)
    texts = [getattr(message, field) for field in TEXT_FIELDS]
    return Said(Role.ASSISTANT, _joined(texts), _calls(message.tool_calls or ()))


def _said(message: Message) -> Said:
    text = _content(message.content)
    role = _ROLES.get(type(message))
    if role is not None:
        return Said(role, text)
    if isinstance(message, AssistantMessage):
        texts = (message.refusal, message.reasoning_content, message.reasoning)
        return Said(Role.ASSISTANT, _joined((text, *texts)), _calls(message.tool_calls or ()))
    assert isinstance(message, ToolMessage)  # noqa: S101 - the last kind there is
    return Said(Role.TOOL, text, answers=message.tool_call_id, name=message.name or "")


def _content(content: Any) -> str:
    """A message's text; its parts as one, as the model reads them."""
    if isinstance(content, list):
        return "".join(p.text if isinstance(p, TextPart) else p.refusal for p in content)
    return content if isinstance(content, str) else ""


def _joined(texts: Iterable[Any]) -> str:
    return "\n".join([text for text in texts if isinstance(text, str) and text])


def _calls(calls: Sequence[ToolCall]) -> tuple[Wanted, ...]:
    return tuple([Wanted(c.id, c.function.name, c.function.arguments) for c in calls])
