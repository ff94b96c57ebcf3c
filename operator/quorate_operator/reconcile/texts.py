"""Texts and times in the forms that statuses and Events accept."""

from datetime import UTC, datetime

TEXT_CHARS = 1024
"""Length of a message in a status."""


def clipped(text: str, chars_max: int = TEXT_CHARS) -> str:
    """``text``, cut with an ellipsis if it is longer than ``chars_max``."""
    return text if len(text) <= chars_max else f"{text[: chars_max - 1]}…"


def clipped_to_bytes(text: str, bytes_max: int) -> str:
    """``text``, cut with an ellipsis if it has more than ``bytes_max`` bytes in UTF-8."""
    data = text.encode("utf-8", "replace")
    if len(data) <= bytes_max:
        return data.decode("utf-8")
    return data[: bytes_max - len("…".encode())].decode("utf-8", "ignore") + "…"


def timestamp(instant: datetime) -> str:
    """RFC 3339 in whole seconds, UTC, as ``metav1.Time`` is written."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_timestamp(instant: datetime) -> str:
    """RFC 3339 with microseconds, UTC, as ``metav1.MicroTime`` is written."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
