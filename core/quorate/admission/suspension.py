"""Break-glass: a namespace that does not enforce until a time that somebody named, and who did.

The floor holds that its words change only by those who may end enforcement, and that the name is
the API server's own of whoever did.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from quorate import names
from quorate.errors import InvalidInput
from quorate.evidence.intoto.timestamps import parse_utc

SUSPENDED_MAX: Final = timedelta(hours=24)
"""From now; whoever asks for more gets none."""


class Suspension(msgspec.Struct, frozen=True, rename="camel"):
    """Of one namespace, in its own words: nothing here is checked."""

    namespace: str
    uid: str
    until: str
    because: str
    by: str


def suspension_of(namespace: Mapping[str, Any]) -> Suspension | None:
    """What a namespace, as the API server gives it, says; None if it enforces or says nothing."""
    metadata = namespace["metadata"]
    notes = metadata.get("annotations") or {}
    mode = (metadata.get("labels") or {}).get(names.MODE_LABEL)
    if mode == "enforce" or names.ENFORCE_AGAIN not in notes:
        return None
    return Suspension(
        namespace=metadata["name"],
        uid=metadata.get("uid", ""),
        until=notes[names.ENFORCE_AGAIN],
        because=notes.get(names.SUSPENDED_BECAUSE, ""),
        by=notes.get(names.SUSPENDED_BY, ""),
    )


def is_over(suspension: Suspension, now: datetime) -> bool:
    """Whether it has ended, or says no end that counts."""
    try:
        until = parse_utc(suspension.until, names.ENFORCE_AGAIN)
    except InvalidInput:
        return True
    return not now < until <= now + SUSPENDED_MAX


def in_words(suspension: Suspension) -> str:
    """One line for people."""
    by = suspension.by or "somebody who is not named"
    because = suspension.because or "no reason was given"
    return (
        f"namespace {suspension.namespace} does not enforce until {suspension.until}, by {by}: "
        f"{because}"
    )
