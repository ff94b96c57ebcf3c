"""How often a gate is run again, and the cron line that never waits longer. Pure."""

import hashlib
import re
from datetime import timedelta
from typing import Final

from quorate.errors import InvalidInput

_WRITTEN: Final = re.compile(r"([1-9][0-9]{0,7})(s|m|h|d)\Z")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MINUTE, _HOUR, _DAY, _MONTH = 60, 3600, 86400, 31 * 86400
SHARE: Final = (2, 3)
"""Of the maximum age: a third of it is left to run again and to be read."""
AGE_MAX: Final = timedelta(days=366)


def parse_duration(text: str, field: str) -> timedelta:
    """Read ``30d``, ``12h``, ``90m`` or ``600s``. Raises InvalidInput."""
    match = _WRITTEN.match(text)
    length = timedelta(seconds=int(match[1]) * _UNITS[match[2]]) if match else timedelta(0)
    if not timedelta(0) < length <= AGE_MAX:
        raise InvalidInput("must be like 30d, 12h or 90m, and at most 366d", field=field)
    return length


def rerun_interval(age_max: timedelta) -> timedelta:
    """Two thirds of a gate's maximum age."""
    return age_max * SHARE[0] / SHARE[1]


def cron(interval: timedelta, name: str) -> str:
    """A cron line whose runs are never further apart than ``interval``.

    Cron starts its steps anew each hour, day and month, so a step may be shorter than asked and
    never longer. Minute and hour come from ``name``: not everything runs at once. Raises
    InvalidInput for less than a minute.
    """
    seconds = int(interval.total_seconds())
    drawn = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    minute, hour = drawn % 60, drawn // 60 % 24
    if seconds < _MINUTE:
        raise InvalidInput("is less than a minute", field="--every")
    if seconds < _HOUR:
        return f"*/{seconds // _MINUTE} * * * *"
    if seconds < _DAY:
        return f"{minute} */{seconds // _HOUR} * * *"
    if seconds < _MONTH:
        return f"{minute} {hour} */{seconds // _DAY} * *"
    return f"{minute} {hour} 1 */{min(12, seconds // _MONTH)} *"
