"""Hashes of the n-grams of a text, vectorised. The same everywhere: integers modulo 2**64 only."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_BASE: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX: Final = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
"""Of the finaliser of splitmix64 (G. Steele, D. Lea, C. Flood, OOPSLA 2014)."""


def code_points(text: str) -> Hashes:
    """The characters of ``text`` as numbers. A lone surrogate counts as a question mark."""
    data = text.encode("utf-32-le", "replace")
    return np.frombuffer(data, dtype="<u4").astype(np.uint64)


def ngrams(points: Hashes, size: int) -> Hashes:
    """One hash for each ``size`` characters in a row, in order; none if the text is shorter."""
    count = len(points) - size + 1
    if count < 1:
        return np.empty(0, dtype=np.uint64)
    hashed = np.full(count, size, dtype=np.uint64)
    for at in range(size):
        hashed = hashed * _BASE + points[at : at + count]
    hashed ^= hashed >> np.uint64(30)
    hashed *= _MIX[0]
    hashed ^= hashed >> np.uint64(27)
    hashed *= _MIX[1]
    hashed ^= hashed >> np.uint64(31)
    return hashed
