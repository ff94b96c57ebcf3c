"""Writes the bodies of answers: chat and plain completions, whole and in chunks."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Completion:
    """The frame of one answer: what all its chunks have in common."""

    model: str
    chat: bool
    prompt_tokens: int
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created_seconds: int = field(default_factory=lambda: int(time.time()))

    def whole(self, text: str, finish_reason: str, answer_tokens: int) -> Body:
        """Returns the body of an answer that is not streamed."""
        content: Body = {"text": text}
        if self.chat:
            content = {"message": {"role": "assistant", "content": text}}
        choice = {"index": 0, **content, "logprobs": None, "finish_reason": finish_reason}
        return self._frame([choice], chunk=False) | {"usage": self._usage(answer_tokens)}

    def first(self) -> Body | None:
        """Returns the chunk that opens a stream; only a chat has one: it names the role."""
        return self._delta({"role": "assistant", "content": ""}, None) if self.chat else None

    def part(self, text: str) -> Body:
        """Returns a chunk with a piece of the answer."""
        return self._delta({"content": text}, None) if self.chat else self._text(text, None)

    def last(self, finish_reason: str) -> Body:
        """Returns the chunk that says why the answer ended."""
        return self._delta({}, finish_reason) if self.chat else self._text("", finish_reason)

    def usage(self, answer_tokens: int) -> Body:
        """Returns the chunk that a client gets when it asked for usage."""
        return self._frame([], chunk=True) | {"usage": self._usage(answer_tokens)}

    def _delta(self, delta: Body, finish_reason: str | None) -> Body:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self._frame([choice], chunk=True)

    def _text(self, text: str, finish_reason: str | None) -> Body:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish_reason}
        return self._frame([choice], chunk=True)

    def _frame(self, choices: list[Body], *, chunk: bool) -> Body:
        kind = (
            ("chat.completion.chunk" if chunk else "chat.completion")
            if self.chat
            else ("text_completion")
        )
        return {
            "id": f"{'chatcmpl' if self.chat else 'cmpl'}-{self.id}",
            "object": kind,
            "created": self.created_seconds,
            "model": self.model,
            "choices": choices,
        }

    def _usage(self, answer_tokens: int) -> Body:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": answer_tokens,
            "total_tokens": self.prompt_tokens + answer_tokens,
        }


def error_body(message: str, *, kind: str, parameter: str | None = None) -> Body:
    """Returns an error as OpenAI clients expect it."""
    return {"error": {"message": message, "type": kind, "param": parameter, "code": None}}


def model_list(name: str) -> Body:
    """Returns the list of the one model that is served."""
    entry = {"id": name, "object": "model", "created": 0, "owned_by": "first-light"}
    return {"object": "list", "data": [entry]}
