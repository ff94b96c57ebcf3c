"""What every signed statement of the committee shares: types, canonical form, time."""

from datetime import datetime, timedelta
from threading import Lock
from typing import Annotated, Any, Protocol, TypeVar

import msgspec

from quorate import limits
from quorate.canonical import canonical
from quorate.errors import Expired, InvalidInput

Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
DigestText = Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]

K = TypeVar("K")
_MESSAGE_CHARS = 300
_described: set[Any] = set()
_describing = Lock()


class Lived(Protocol):
    """A statement with a beginning and an end; both aware."""

    @property
    def issued_at(self) -> datetime:
        """The first instant it counts."""

    @property
    def expires_at(self) -> datetime:
        """The first instant it no longer counts."""


def encode(statement: msgspec.Struct) -> bytes:
    """The canonical form that is signed; times are RFC 3339."""
    return canonical(msgspec.to_builtins(statement))


def convert(document: Any, kind: type[K], what: str) -> K:
    """Read a parsed JSON document strictly; InvalidInput names ``what`` and the field within."""
    _describe(kind)
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error)[:_MESSAGE_CHARS], field=what) from None


def _describe(kind: Any) -> None:
    """Let msgspec see a type whole before anybody reads by it.

    It describes a type when it is first used, and a second thread that uses the type meanwhile
    reads a description that is half made: that ends the process (msgspec 0.22).
    """
    if kind not in _described:
        with _describing:
            msgspec.json.Decoder(kind)
            _described.add(kind)


def check_life(statement: Lived, what: str, life_max: int) -> None:
    """Raise InvalidInput unless the statement lives for more than 0 and at most ``life_max`` s."""
    life = statement.expires_at - statement.issued_at
    if not timedelta(0) < life <= timedelta(seconds=life_max):
        raise InvalidInput(
            f"must be after issuedAt by at most {life_max} s", field=f"{what}.expiresAt"
        )


def check_time(statement: Lived, now: datetime, what: str) -> None:
    """Raise Expired unless ``issued_at`` ≤ now < ``expires_at``, with limits.CLOCK_SKEW before."""
    if now >= statement.expires_at:
        raise Expired(f"{what} expired at {statement.expires_at.isoformat()}")
    if now < statement.issued_at - timedelta(seconds=limits.CLOCK_SKEW):
        raise Expired(f"{what} is from the future ({statement.issued_at.isoformat()})")
