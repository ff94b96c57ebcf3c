"""RFC 3339 times in UTC, in the one spelling that ends in ``Z``."""

import re
from datetime import UTC, datetime

from quorate.errors import InvalidInput

_UTC = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z\Z", re.ASCII)


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
