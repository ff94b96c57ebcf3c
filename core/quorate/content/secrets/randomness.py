"""Telling random strings from words: the second look at a candidate secret."""

import math
from collections import Counter
from collections.abc import Callable

PLACEHOLDERS = (b"example", b"changeme", b"placeholder", b"redacted", b"your", b"xxxx", b"****")
"""Words people put where a secret belongs. Compared in lower case."""


def entropy(text: bytes) -> float:
    """Shannon entropy of ``text``'s bytes, in bits a byte."""
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in Counter(text).values())


def is_placeholder(text: bytes) -> bool:
    """True if ``text`` stands for a secret rather than being one."""
    lower = text.lower()
    return any(word in lower for word in PLACEHOLDERS)


def random_after(prefix: int, bits: float) -> Callable[[bytes], bool]:
    """Accept a match whose part after ``prefix`` bytes has at least ``bits`` of entropy a byte."""

    def accept(match: bytes) -> bool:
        return entropy(match[prefix:]) >= bits

    return accept
