"""A whole answer of the model server: understand it, check every text, serialise again. Pure."""

from typing import Any

import msgspec

from quorate.audit.records import Coverage
from quorate.consensus.conversation import Said
from quorate_sidecar.checks.lane import Tally
from quorate_sidecar.checks.scanner import Scanner
from quorate_sidecar.checks.text_guard import TextGuard
from quorate_sidecar.openai.answer import AnswerDecoder
from quorate_sidecar.openai.chat_answer import CHAT_ANSWER, CHAT_CHUNK, ChatAnswer, Envelope
from quorate_sidecar.openai.completion_answer import COMPLETION_ANSWER, CompletionAnswer
from quorate_sidecar.openai.conversation import answered
from quorate_sidecar.openai.embedding_answer import EMBEDDING_ANSWER
from quorate_sidecar.openai.models_answer import MODELS_ANSWER
from quorate_sidecar.openai.strict import encode
from quorate_sidecar.refusal import Code, Refusal
from quorate_sidecar.routes import Api
from quorate_sidecar.stream.guard import StreamGuard

_DECODERS: dict[Api, AnswerDecoder[Any]] = {
    Api.CHAT: CHAT_ANSWER,
    Api.COMPLETIONS: COMPLETION_ANSWER,
    Api.EMBEDDINGS: EMBEDDING_ANSWER,
    Api.MODELS: MODELS_ANSWER,
}
MESSAGE_LENGTH = 1024
"""Characters of a model server's error message that are passed on."""


class Answer(msgspec.Struct, frozen=True):
    """What is released, and what was found on the way. Or why nothing is released."""

    tally: Tally
    coverage: list[Coverage]
    body: bytes = b""
    refusal: Refusal | None = None
    said: tuple[tuple[int, Said], ...] = ()
    """What each choice says and does, by its index, as it would be released."""


def check_answer(api: Api, body: bytes, scanner: Scanner, request_id: str) -> Answer:
    """Decide on a 200 answer that is not streamed. Never raises a Refusal.

    It is released under ``request_id``: one id for client, audit record and model server's log.
    """
    guard = TextGuard(scanner)
    try:
        value = _DECODERS[api].decode(body)
        value.visit(guard)
        if isinstance(value, Envelope):
            value.id = request_id
    except Refusal as refusal:
        return Answer(guard.tally, guard.coverage, refusal=refusal)
    return Answer(guard.tally, guard.coverage, encode(value), said=_said(value))


def _said(value: Any) -> tuple[tuple[int, Said], ...]:
    if isinstance(value, ChatAnswer):
        return tuple([(choice.index, answered(choice.message)) for choice in value.choices])
    if isinstance(value, CompletionAnswer):
        return tuple([(choice.index, answered(choice.text)) for choice in value.choices])
    return ()


def stream_guard(
    api: Api, scanner: Scanner, request_id: str, bytes_max: int, *, streams_prose: bool
) -> StreamGuard:
    """The guard for a streamed answer of ``api``."""
    decoder = CHAT_CHUNK if api is Api.CHAT else COMPLETION_ANSWER
    return StreamGuard(decoder, scanner, request_id, bytes_max, streams_prose=streams_prose)


def upstream_error(status: int, body: bytes, scanner: Scanner) -> Refusal:
    """What a client is told of a model server's own error.

    The message passes if it can be found and holds nothing to deny or mask: servers repeat parts
    of the request in it. The status passes if it is an error's.
    """
    message = _error_message(body)[:MESSAGE_LENGTH]
    if message:
        try:
            TextGuard(scanner).fixed("the message", message)
        except Refusal:
            message = "(its message was withheld)"
    shown = status if 400 <= status <= 599 else 502
    text = f"the model server answered {status}: {message or 'no message'}"
    return Refusal(shown, Code.UPSTREAM_ERROR, text)


def _error_message(body: bytes) -> str:
    """The message in the forms that OpenAI, vLLM, FastAPI and Ollama use; empty if none."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    if not isinstance(value, dict):
        return ""
    error = value.get("error")
    inner = error.get("message") if isinstance(error, dict) else error
    found = (inner, value.get("message"), value.get("detail"))
    return next((text for text in found if isinstance(text, str)), "")
