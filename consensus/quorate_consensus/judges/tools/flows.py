"""Whether one text flowed into another: by windows of letters and digits, so that white space,
punctuation, case and lookalikes are no disguise."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from quorate.text import squash

WINDOW: Final = 12
"""Letters and digits in a row that two texts hardly share by chance."""
GRAM: Final = 4
"""And so few that a secret cut in short pieces still shows them."""
SHORTEST: Final = 8
SHARE: Final = 0.5
"""Of a value's windows: above it, the value came from there."""
RUN: Final = 24
"""Characters in a row that came from there, however long the value is."""
SECRET_CHARS: Final = 16
PIECES_SHARE: Final = 0.4
"""Of a random secret's grams: above it, the secret is there in pieces."""


@dataclass(frozen=True, slots=True)
class Source:
    """Texts that something may have flowed from: squashed, and their windows."""

    texts: tuple[str, ...]
    windows: frozenset[str]

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Source":
        """Of texts in any form."""
        plain = tuple(filter(None, map(squash, texts)))
        return cls(plain, frozenset(window for text in plain for window in windows(text)))

    def holds(self, value: str) -> bool:
        """Whether the squashed ``value`` is in one of the texts."""
        return any(value in text for text in self.texts)


def windows(text: str, size: int = WINDOW) -> set[str]:
    """Every ``size`` characters of ``text``."""
    return {text[at : at + size] for at in range(len(text) - size + 1)}


def flowed(value: str, source: Source, trusted: Source) -> bool:
    """Whether the squashed ``value`` came from ``source`` and from nobody who is trusted."""
    if len(value) < SHORTEST or trusted.holds(value):
        return False
    if len(value) < WINDOW + 4:
        return source.holds(value)
    own = [value[at : at + WINDOW] for at in range(len(value) - WINDOW + 1)]
    hits, run = 0, 0
    for window in own:
        if window not in source.windows or window in trusted.windows:
            run = 0
            continue
        hits, run = hits + 1, run + 1
        if run > RUN - WINDOW:
            return True
    return hits >= SHARE * len(own)


def in_pieces(secret: str, outgoing: str) -> bool:
    """Whether the squashed random ``secret`` can be put together from pieces of ``outgoing``."""
    if len(secret) < SECRET_CHARS:
        return False
    grams = windows(secret, GRAM)
    return sum(gram in outgoing for gram in grams) >= PIECES_SHARE * len(grams)
