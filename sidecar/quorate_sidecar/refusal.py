"""A refusal: what a client is told, in the form that OpenAI's clients understand."""

from enum import StrEnum
from typing import Any

import msgspec


class Code(StrEnum):
    """Stable words for refusals: in error bodies, metrics and audit records."""

    # the request itself
    MALFORMED = "Malformed"
    UNKNOWN_PATH = "PathNotAllowed"
    METHOD = "MethodNotAllowed"
    MEDIA_TYPE = "UnsupportedMediaType"
    TOO_LARGE = "RequestTooLarge"
    TIMEOUT = "RequestTimeout"
    HEADERS = "HeaderNotAllowed"
    # the policy
    CONTENT = "ContentDenied"
    UNSUPPORTED = "NotCheckable"
    POLICY = "PolicyDenied"
    # what the model would do
    ACTION = "ActionDenied"
    HELD = "ActionHeld"
    UNDECIDED = "ActionUndecided"
    FROZEN = "Frozen"
    DECISION = "DecisionRefused"
    # how much
    RATE = "RateLimited"
    BUSY = "TooManyRequests"
    # this pod
    NOT_READY = "NotReady"
    STATE_EXPIRED = "StateExpired"
    RECEIPT_MISSING = "ReceiptMissing"
    RECEIPT_EXPIRED = "ReceiptExpired"
    RECEIPT_INVALID = "ReceiptInvalid"
    FOREIGN_LISTENER = "ForeignListener"
    MODEL_CHANGED = "ModelChanged"
    AUDIT = "AuditUnavailable"
    DRAINING = "Draining"
    INTERNAL = "InternalError"
    # the client
    CLIENT_LEFT = "ClientLeft"
    # the model server
    UPSTREAM_DOWN = "ModelServerUnreachable"
    UPSTREAM_TIMEOUT = "ModelServerTimeout"
    UPSTREAM_ERROR = "ModelServerError"
    UPSTREAM_INVALID = "ModelAnswerNotUnderstood"
    RESPONSE_TOO_LARGE = "ResponseTooLarge"


class Refusal(Exception):
    """Answer this instead. ``param`` names the field it is about; ``retry_after`` in seconds;
    ``allow`` lists the methods that the path takes."""

    def __init__(
        self,
        status: int,
        code: Code,
        message: str,
        *,
        param: str = "",
        retry_after: int = 0,
        allow: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.retry_after = retry_after
        self.allow = allow


_TYPES = {
    400: "invalid_request_error",
    403: "permission_denied",
    404: "not_found",
    429: "rate_limit",
}


def error_object(refusal: Refusal, request_id: str) -> dict[str, Any]:
    """The ``{"error": …}`` object of a refusal."""
    fallback = "invalid_request_error" if refusal.status < 500 else "server_error"
    return {
        "error": {
            "message": refusal.message,
            "type": _TYPES.get(refusal.status, fallback),
            "code": refusal.code.value,
            "param": refusal.param or None,
            "request_id": request_id,
        }
    }


def error_body(refusal: Refusal, request_id: str) -> bytes:
    """The body of a refusal's answer."""
    return msgspec.json.encode(error_object(refusal, request_id))
