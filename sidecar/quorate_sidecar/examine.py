"""A request's body: parse strictly, check every text, serialise again. Pure."""

import hashlib

import msgspec

from quorate_sidecar.checks.lane import Tally
from quorate_sidecar.checks.scanner import Scanner
from quorate_sidecar.checks.text_guard import TextGuard
from quorate_sidecar.openai.chat_request import CHAT_REQUEST
from quorate_sidecar.openai.completion_request import COMPLETION_REQUEST
from quorate_sidecar.openai.conversation import Conversation
from quorate_sidecar.openai.embedding_request import EMBEDDING_REQUEST, EmbeddingRequest
from quorate_sidecar.openai.strict import encode
from quorate_sidecar.refusal import Refusal
from quorate_sidecar.routes import Api

Request = Conversation | EmbeddingRequest


class Examined(msgspec.Struct, frozen=True):
    """What is forwarded, and what was found on the way. Or why nothing is forwarded."""

    tally: Tally
    body: bytes = b""
    digest: str = ""
    model: str = ""
    stream: bool = False
    refusal: Refusal | None = None
    conversation: Conversation | None = None
    """What the model is asked, as it is forwarded; None if its answer holds no words."""


def examine(api: Api, body: bytes, scanner: Scanner) -> Examined:
    """Decide on the body of a POST. Never raises a Refusal: findings must be recorded too."""
    guard = TextGuard(scanner)
    try:
        request, again = _decode(api, body)
        request.visit(guard)
    except Refusal as refusal:
        return Examined(guard.tally, refusal=refusal)
    if guard.masked:
        again = encode(request)
    digest = f"sha256:{hashlib.sha256(again).hexdigest()}"
    said = None if isinstance(request, EmbeddingRequest) else request
    return Examined(guard.tally, again, digest, request.model, request.streams, conversation=said)


def _decode(api: Api, body: bytes) -> tuple[Request, bytes]:
    if api is Api.CHAT:
        return CHAT_REQUEST.decode(body)
    if api is Api.COMPLETIONS:
        return COMPLETION_REQUEST.decode(body)
    return EMBEDDING_REQUEST.decode(body)
