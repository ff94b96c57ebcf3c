"""Recent refusals, from Events: what controllers were denied, and what the operator holds back."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from quorate.verdict import Reason
from quorate_cli.cluster.kinds import Document
from quorate_cli.explain.node_side import event_time
from quorate_cli.layout import clipped

RECENT: Final = timedelta(hours=1)
"""API servers keep Events for an hour unless told otherwise."""
MESSAGE_CHARS: Final = 300
_OURS: Final = re.compile(r'[\w.-]*quorate\.dev"|quorate-floor')
_REASONS: Final = {str(reason) for reason in Reason}
_WORDS: Final = re.compile(r"\b[A-Z][A-Za-z]+\b")


class RecentRefusal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One object that was refused or held back for one reason, however often."""

    last_seen: str
    namespace: str
    subject: str
    reason: str
    count: int
    message: str


def recent_refusals(events: Iterable[Document], now: datetime) -> list[RecentRefusal]:
    """Newest first; the same subject and reason once."""
    oldest = (now - RECENT).strftime("%Y-%m-%dT%H:%M:%SZ")
    found: dict[tuple[str, str, str], RecentRefusal] = {}
    for event in sorted(events, key=event_time):
        reason = _reason(event)
        if not reason or event_time(event) < oldest:
            continue
        about = event.get("involvedObject") or {}
        namespace = str(about.get("namespace", ""))
        subject = f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"
        key = (namespace, subject, reason)
        before = found.pop(key, None)
        found[key] = RecentRefusal(
            last_seen=event_time(event),
            namespace=namespace,
            subject=subject,
            reason=reason,
            count=(before.count if before else 0) + _count(event),
            message=clipped(str(event.get("message") or ""), MESSAGE_CHARS),
        )
    return list(reversed(found.values()))


def _count(event: Document) -> int:
    series = (event.get("series") or {}).get("count")
    return max(1, int(event.get("count") or series or 1))


def _reason(event: Document) -> str:
    """The reason of ours that an Event tells of; empty if it is about something else."""
    if event.get("type") != "Warning":
        return ""
    if event.get("reason") in _REASONS:
        return str(event["reason"])
    message = str(event.get("message") or "")
    if not _OURS.search(message):
        return ""
    words = (word for word in _WORDS.findall(message) if word in _REASONS)
    return next(words, "Denied")
