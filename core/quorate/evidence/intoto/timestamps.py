"""RFC 3339 times. Our own are in UTC and end in ``Z``; those of others may have an offset."""

import re
from datetime import UTC, datetime

from quorate.errors import InvalidInput

_UTC = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z\Z", re.ASCII)
_ANY = re.compile(
    r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})\Z", re.ASCII
)
_MICROSECONDS = 7


def parse_rfc3339(text: str, field: str) -> datetime:
    """Read a time with any offset and up to nanoseconds, which are cut; InvalidInput otherwise."""
    match = _ANY.match(text)
    try:
        if match:
            whole, fraction, zone = match.groups()
            instant = datetime.fromisoformat(f"{whole}{(fraction or '')[:_MICROSECONDS]}{zone}")
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidInput("must be an RFC 3339 time, such as 2026-01-31T12:00:00Z", field=field)


def parse_utc(text: str, field: str) -> datetime:
    """Read a time such as ``2026-01-31T12:00:00Z``; InvalidInput for any other spelling."""
    try:
        if _UTC.match(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise InvalidInput("must be an RFC 3339 time in UTC, such as 2026-01-31T12:00:00Z", field=field)


def format_utc(instant: datetime) -> str:
    """Write an aware time in UTC, to the microsecond where it has any."""
    if instant.tzinfo is None:
        raise InvalidInput("must have a time zone", field="time")
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
