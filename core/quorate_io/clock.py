"""The time of day, for what is pure and must be told it."""

from datetime import UTC, datetime


class SystemClock:
    """This machine's clock; a :class:`quorate.ports.Clock`."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return datetime.now(UTC)
