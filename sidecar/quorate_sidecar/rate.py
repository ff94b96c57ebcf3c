"""How many requests a minute this pod serves: a token bucket."""


class TokenBucket:
    """Holds up to a minute's tokens and refills evenly. Time is told, in seconds of any clock."""

    __slots__ = ("_filled_at", "_per_minute", "_tokens")

    def __init__(self, per_minute: int, now: float) -> None:
        self._per_minute = per_minute
        self._tokens = float(per_minute)
        self._filled_at = now

    def take(self, now: float) -> int:
        """Take one token: 0 if there was one, else the seconds until there will be."""
        elapsed = max(now - self._filled_at, 0.0)
        self._filled_at = max(now, self._filled_at)
        self._tokens = min(self._tokens + elapsed * self._per_minute / 60, float(self._per_minute))
        if self._tokens >= 1:
            self._tokens -= 1
            return 0
        if self._per_minute <= 0:
            return 60
        return max(1, round((1 - self._tokens) * 60 / self._per_minute + 0.5))

    def resize(self, per_minute: int) -> None:
        """Follow a policy's new limit; what was saved up under a higher one is lost."""
        if per_minute != self._per_minute:
            self._per_minute = per_minute
            self._tokens = min(self._tokens, float(per_minute))
