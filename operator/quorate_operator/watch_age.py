"""How long ago the API server last said anything about each watched kind.

A watch that was silently cut looks like a quiet cluster. The API server sends a bookmark about once
a minute on every watch, so silence for longer means that this process is blind.
"""

from collections.abc import Callable, Iterable, Sequence

from quorate_operator.kinds import Kind

SILENCE_MAX = 180.0
"""Seconds. Bookmarks come every 60 s, and a silent stream is dialled again after 70 s."""


class WatchAges:
    """One clock a kind, wound by whoever reads the streams. Times are those of ``clock``."""

    def __init__(self, kinds: Iterable[Kind], clock: Callable[[], float]) -> None:
        self._clock = clock
        self._heard: dict[str, float | None] = {kind.name: None for kind in kinds}
        self._begun: float | None = None

    def begin(self) -> None:
        """The watches are being opened: from now on silence counts."""
        self._begun = self._clock()

    def heard(self, kind: str) -> None:
        """Something arrived on the watch of a kind."""
        self._heard[kind] = self._clock()

    def ages(self) -> dict[str, float]:
        """Seconds of silence by kind, counted from the beginning while nothing was heard."""
        if self._begun is None:
            return {}
        now = self._clock()
        begun = self._begun
        return {
            kind: now - (begun if heard is None else max(heard, begun))
            for kind, heard in self._heard.items()
        }

    def opened(self) -> bool:
        """Whether every watch has been heard since the beginning."""
        return self._begun is not None and all(heard is not None for heard in self._heard.values())

    def silent(self) -> Sequence[str]:
        """Reasons to restart: kinds that have been silent for too long."""
        return [
            f"nothing heard about {kind} for {age:.0f} s (at most {SILENCE_MAX:.0f} s)"
            for kind, age in self.ages().items()
            if age > SILENCE_MAX
        ]
