"""The question and the answer: pure."""

import json
from typing import Annotated, Any, Final, Literal

import msgspec

from quorate.canonical import parse_object
from quorate.consensus.request import Request
from quorate.consensus.wire import SCORE_MAX, Verdict
from quorate.errors import InvalidInput
from quorate.statements import convert
from quorate_consensus.judges.llm.settings import LlmSettings
from quorate_consensus.judges.opinion import Opinion

ANSWER_BYTES: Final = 64 * 1024
"""The whole body of a completion."""
CONTENT_BYTES: Final = 2_048
"""The answer in it."""
DENIES_FROM: Final = 500


class _Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    challenge: str
    verdict: Literal["approve", "deny"]
    score: Annotated[int, msgspec.Meta(ge=0, le=SCORE_MAX)]
    reason: str


class _Message(msgspec.Struct):
    content: str
    refusal: str | None = None
    tool_calls: list[Any] | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: Literal["stop"]


class _Completion(msgspec.Struct):
    choices: Annotated[list[_Choice], msgspec.Meta(min_length=1, max_length=1)]


_DECODER: Final = msgspec.json.Decoder(_Completion)


def question(request: Request, settings: LlmSettings, challenge: str) -> dict[str, Any]:
    """The body of a completion request. ``challenge`` is drawn for this question alone.

    Raises InvalidInput for a request that is too long to be read whole.
    """
    text = json.dumps(request.document, ensure_ascii=True, separators=(",", ":"))
    if len(text) > settings.characters_max:
        raise InvalidInput(f"must have at most {settings.characters_max} characters")
    words = ", ".join(settings.reasons)
    told = f"{settings.instructions}\n\nReasons: {words}.\nchallenge: {challenge}"
    return {
        "model": settings.model,
        "messages": [
            {"role": "system", "content": told},
            {"role": "user", "content": f"The document:\n{text}"},
        ],
        "max_tokens": settings.max_tokens,
        "temperature": 0,
        "seed": 0,
        "stream": False,
        "response_format": {"type": "json_schema", "json_schema": _schema(settings)},
    }


def _schema(settings: LlmSettings) -> dict[str, Any]:
    properties = {
        "challenge": {"type": "string"},
        "verdict": {"type": "string", "enum": ["approve", "deny"]},
        "score": {"type": "integer", "minimum": 0, "maximum": SCORE_MAX},
        "reason": {"type": "string", "enum": list(settings.reasons)},
    }
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"name": "opinion", "strict": True, "schema": schema}


def answer(body: bytes, settings: LlmSettings, challenge: str) -> Opinion:
    """The opinion in the body of a completion.

    Raises InvalidInput for anything else: other fields, other words, another challenge, a refusal,
    a call of a tool, an answer that was cut off or contradicts itself.
    """
    try:
        choice = _DECODER.decode(body).choices[0]
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise InvalidInput("is no chat completion", field="answer") from None
    if choice.message.refusal or choice.message.tool_calls:
        raise InvalidInput("is a refusal, or calls a tool", field="answer")
    content = choice.message.content.strip().encode("utf-8", "replace")
    document = parse_object(content, bytes_max=CONTENT_BYTES, what="answer")
    said = convert(document, _Answer, "answer")
    if said.challenge != challenge:
        raise InvalidInput("answers another question", field="answer.challenge")
    if said.reason not in settings.reasons:
        raise InvalidInput("is none of the listed words", field="answer.reason")
    if (said.verdict == "deny") != (said.score >= DENIES_FROM):
        raise InvalidInput("contradicts its own score", field="answer.verdict")
    if said.verdict == "approve":
        return Opinion(Verdict.APPROVE, said.score)
    return Opinion(Verdict.DENY, said.score, (said.reason,))
