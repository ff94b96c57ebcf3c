"""What a content check is: patterns with bounds, so that a stream can be held back just enough.

A pattern declares the longest match and the bytes a match may hold. From these alone the scanner
derives how much of a stream must wait: no fixed overlap that a longer secret could straddle.
A test derives the same bounds from the expressions and compares.
"""

import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

VISIBLE: Final = bytes(range(0x21, 0x7F))
"""Printable ASCII without white space: what tokens, addresses and URLs are made of."""
TOKEN: Final = (string.ascii_letters + string.digits + "_-").encode()
TOKEN_DOTTED: Final = TOKEN + b"."
BASE64: Final = (string.ascii_letters + string.digits + "+/=").encode()
SPACE: Final = bytes(byte for byte in range(256) if byte not in VISIBLE and byte < 0x80)
"""ASCII that is not visible. Bytes of other scripts are neither visible nor space."""


def _any(match: bytes) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Pattern:
    """One kind of text to find. Expressions are RE2 over Latin-1: a byte is a character.

    Only expressions without an unmistakable beginning ask for a word boundary before it: a
    credential is one also where it is glued to other text.

    Every byte of a match lies in ``alphabet``, but for at most ``gaps`` runs of SPACE bytes. Both
    are ASCII, and so are ``lead`` and ``tail``: no decision ever falls inside a character.
    """

    rule: str
    expression: bytes
    length_max: int
    """Bytes of the longest match with its lead, without its tail."""
    alphabet: bytes = VISIBLE
    gaps: int = 0
    lead: bytes = b""
    lead_max: int = 0
    """At most so many of these bytes right before the match belong to the finding. An expression
    that began with them would make the engine count at every word, and outgrow the CPU's cache."""
    tail: bytes = b""
    """Bytes that belong to the finding as long as they follow it. Masked, however many."""
    accept: Callable[[bytes], bool] = _any
    """The second look at a match: a checksum, an entropy, a structure."""


class Check(Protocol):
    """A named set of patterns; a policy names it and says what to do with its findings."""

    @property
    def name(self) -> str:
        """As in ``CheckRule.name``."""

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """What it looks for."""

    @property
    def match_length_max(self) -> int:
        """Bytes of the longest match of any of its patterns."""


@dataclass(frozen=True, slots=True)
class PatternCheck:
    """A check that is nothing but its patterns."""

    name: str
    patterns: tuple[Pattern, ...]

    @property
    def match_length_max(self) -> int:
        """Bytes of the longest match of any of the patterns."""
        return max(pattern.length_max for pattern in self.patterns)
