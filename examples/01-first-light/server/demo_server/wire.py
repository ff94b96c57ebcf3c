"""Reads the bodies of requests; what is not understood is refused, never guessed."""

import json
from dataclasses import dataclass
from typing import Any

from demo_server.tokenizer import Message

MESSAGES_MAX = 64
PROMPT_CHARS_MAX = 8192
TOKENS_MAX = 512
TOKENS_DEFAULT = 256
TEMPERATURE_MAX = 2.0

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
# Asking for one of these changes the answer, so ignoring it would be a lie.
_UNSUPPORTED = ("stop", "tools", "logprobs", "response_format", "suffix", "echo")


class BadRequest(Exception):
    """A request that cannot be served: a status code, a message and the parameter it is about."""

    def __init__(self, message: str, *, parameter: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.parameter = parameter
        self.status = status


@dataclass(frozen=True, slots=True)
class Options:
    """What chat and plain completions have in common."""

    model: str
    tokens_max: int
    temperature: float
    seed: int | None
    stream: bool
    include_usage: bool


def parse_body(body: bytes) -> dict[str, Any]:
    """Returns the JSON object of a body; raises BadRequest when it is not one."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("the body must be JSON in UTF-8") from None
    if not isinstance(document, dict):
        raise BadRequest("the body must be a JSON object")
    return document


def parse_options(document: dict[str, Any]) -> Options:
    """Returns the options of a request; raises BadRequest for what this server cannot do."""
    for name in _UNSUPPORTED:
        if document.get(name) not in (None, False, []):
            raise BadRequest(f"{name} is not supported", parameter=name)
    if document.get("n") not in (None, 1):
        raise BadRequest("n must be 1", parameter="n")
    limit = "max_completion_tokens" if "max_completion_tokens" in document else "max_tokens"
    stream_options = document.get("stream_options") or {}
    if not isinstance(stream_options, dict):
        raise BadRequest("stream_options must be an object", parameter="stream_options")
    model = document.get("model")
    if not isinstance(model, str):
        raise BadRequest("model must be a string", parameter="model")
    return Options(
        model=model,
        tokens_max=_integer(document, limit, TOKENS_DEFAULT, least=1, most=TOKENS_MAX),
        temperature=_temperature(document),
        seed=_integer(document, "seed", None, least=0, most=2**63 - 1),
        stream=_flag(document, "stream"),
        include_usage=_flag(stream_options, "include_usage"),
    )


def parse_messages(document: dict[str, Any]) -> list[Message]:
    """Returns the chat of a request; raises BadRequest when it is malformed or too long."""
    items = document.get("messages")
    if not isinstance(items, list) or not 1 <= len(items) <= MESSAGES_MAX:
        raise BadRequest(f"messages must be a list of 1 to {MESSAGES_MAX}", parameter="messages")
    messages = [_message(item) for item in items]
    _bound_prompt(sum(len(message.text) for message in messages), "messages")
    return messages


def parse_prompt(document: dict[str, Any]) -> str:
    """Returns the text to continue; raises BadRequest when it is malformed or too long."""
    prompt = document.get("prompt")
    if not isinstance(prompt, str):
        raise BadRequest("prompt must be a string", parameter="prompt")
    _bound_prompt(len(prompt), "prompt")
    return prompt


def _message(item: object) -> Message:
    role = item.get("role") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(role, str) or role not in _ROLES:
        raise BadRequest(
            f"each message must have a role: {', '.join(_ROLES)}", parameter="messages"
        )
    return Message(_ROLES[role], _content(item.get("content")))


def _content(content: object) -> str:
    """A content is a string, or a list of parts of which this server reads text."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [None]
    return "".join(map(_text, parts))


def _text(part: object) -> str:
    text = part.get("text") if isinstance(part, dict) else None
    if not isinstance(text, str):
        raise BadRequest("content must be text", parameter="messages")
    return text


def _bound_prompt(chars: int, parameter: str) -> None:
    if chars > PROMPT_CHARS_MAX:
        message = f"the prompt has {chars} characters, the limit is {PROMPT_CHARS_MAX}"
        raise BadRequest(message, parameter=parameter)


def _integer(document: dict[str, Any], name: str, default: Any, *, least: int, most: int) -> Any:
    value = document.get(name)
    if value is None:
        return default
    if type(value) is not int or not least <= value <= most:
        raise BadRequest(f"{name} must be a number from {least} to {most}", parameter=name)
    return value


def _temperature(document: dict[str, Any]) -> float:
    value = document.get("temperature")
    if value is None:
        return 0.0
    if type(value) not in (int, float) or not 0.0 <= value <= TEMPERATURE_MAX:
        message = f"temperature must be a number from 0 to {TEMPERATURE_MAX}"
        raise BadRequest(message, parameter="temperature")
    return float(value)


def _flag(document: dict[str, Any], name: str) -> bool:
    value = document.get(name)
    if value not in (None, True, False):
        raise BadRequest(f"{name} must be true or false", parameter=name)
    return bool(value)
