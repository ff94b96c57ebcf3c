"""The bodies of the scripted server, in the form of the OpenAI API."""

from typing import Any


def chunk(
    choice: int, change: dict[str, Any], finish_reason: str | None, *, chat: bool
) -> dict[str, Any]:
    """Returns one event of a stream."""
    content = {"delta": change} if chat else {"text": change.get("content", "")}
    return {
        "id": "scripted-1",
        "object": "chat.completion.chunk" if chat else "text_completion",
        "created": 1,
        "model": "scripted",
        "choices": [{"index": choice, **content, "finish_reason": finish_reason}],
    }


def merge(message: dict[str, Any], change: dict[str, Any]) -> None:
    """Adds a change to the message it belongs to, in place."""
    for name, value in change.items():
        if name != "tool_calls":
            message[name] = message.get(name, "") + value
        elif name in message:
            arguments = value[0]["function"]["arguments"]
            message[name][0]["function"]["arguments"] += arguments
        else:
            message[name] = [{k: v for k, v in call.items() if k != "index"} for call in value]


def completion(messages: dict[int, dict[str, Any]], *, chat: bool) -> dict[str, Any]:
    """Returns the body of an answer that is not streamed: its messages by choice."""
    choices = []
    for index, message in sorted(messages.items()):
        content = {"message": {"content": None} | message}
        if not chat:
            content = {"text": message.get("content", "")}
        choices.append({"index": index, **content, "finish_reason": "stop"})
    return {
        "id": "scripted-1",
        "object": "chat.completion" if chat else "text_completion",
        "created": 1,
        "model": "scripted",
        "choices": choices,
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
