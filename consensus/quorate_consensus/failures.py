"""From an error to the one body every failed request is answered with."""

import logging

from aiohttp import web

from quorate.errors import InvalidInput, LimitExceeded, QuorateError, Unavailable
from quorate_consensus.accusations import EvidenceRefused
from quorate_consensus.endorsing import EpochRefused
from quorate_consensus.freezing import FreezeRefused
from quorate_consensus.judging import Overloaded
from quorate_consensus.receipt_service import ReceiptDenied
from quorate_consensus.relay import ResyncNeeded
from quorate_consensus.shedding import TooManyRequests
from quorate_consensus.state_service import NotFound, PodUnknown
from quorate_io.member_api import ErrorBody, Failure, encode

log = logging.getLogger(__name__)

SERVER = {"Server": "quorate-member"}
"""Instead of the library's own header, which tells versions to anybody."""


class Unauthenticated(QuorateError):
    """The request has no token, or one that does not count."""


class Forbidden(QuorateError):
    """The caller is known, and may not do this."""


# The first that fits: subclasses come before what they are a kind of.
_ANSWERS: tuple[tuple[type[QuorateError], int, Failure], ...] = (
    (Unauthenticated, 401, Failure.UNAUTHENTICATED),
    (Forbidden, 403, Failure.FORBIDDEN),
    (EvidenceRefused, 403, Failure.EVIDENCE_REFUSED),
    (FreezeRefused, 403, Failure.FORBIDDEN),
    (PodUnknown, 403, Failure.POD_UNKNOWN),
    (ReceiptDenied, 403, Failure.RECEIPT_DENIED),
    (NotFound, 404, Failure.NOT_FOUND),
    (ResyncNeeded, 409, Failure.RESYNC_NEEDED),
    (EpochRefused, 409, Failure.EPOCH_REFUSED),
    (LimitExceeded, 413, Failure.TOO_LARGE),
    (InvalidInput, 400, Failure.MALFORMED),
    (TooManyRequests, 429, Failure.TOO_MANY_REQUESTS),
    (Overloaded, 503, Failure.OVERLOADED),
    (Unavailable, 503, Failure.NOT_READY),
)


def respond(error: Exception) -> web.Response:
    """The answer to a request that ended in ``error``. What is not ours is logged and hidden."""
    if isinstance(error, TimeoutError):
        return _response(503, Failure.DEADLINE, "the answer was not ready in time", "ask again")
    if isinstance(error, web.HTTPException):
        reason = Failure.NOT_FOUND if error.status == 404 else Failure.MALFORMED
        return _response(error.status, reason, error.reason)
    for kind, status, reason in _ANSWERS:
        if isinstance(error, kind):
            where = f"{error.field}: " if error.field else ""
            return _response(status, reason, f"{where}{error.message}", error.fix)
    log.error("request failed", exc_info=error)
    return _response(500, Failure.INTERNAL, "internal error", "see the member's log")


def _response(status: int, reason: Failure, message: str, fix: str = "") -> web.Response:
    body = ErrorBody(reason=reason.value, message=message[:8192], fix=fix[:8192])
    headers = dict(SERVER)
    if status in (429, 503):
        headers["Retry-After"] = "1"
    return web.Response(
        status=status, body=encode(body), content_type="application/json", headers=headers
    )
