"""Hashes of the n-grams of a text, vectorised. The same everywhere: integers modulo 2**64 only."""

from collections.abc import Sequence
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
    return _mixed(hashed)


def ngrams_of(points: Hashes, sizes: Sequence[int]) -> list[Hashes]:
    """As :func:`ngrams` for each of the ascending ``sizes``; cheaper than one after the other."""
    found: list[Hashes] = []
    sums, size = points, 1
    for wanted in sizes:
        while size < wanted and len(sums) > 1:
            sums = sums[:-1] * _BASE + points[size:]
            size += 1
        # The sum begins with the size itself, so that no hash of one size is one of another.
        first = np.uint64(wanted * pow(int(_BASE), wanted, 2**64) % 2**64)
        found.append(sums + first if size == wanted else sums[:0])
    mixed, split, end = _mixed(np.concatenate(found)), [], 0
    for of_size in found:
        split.append(mixed[end : end + len(of_size)])
        end += len(of_size)
    return split


def _mixed(hashed: Hashes) -> Hashes:
    """Mixes the bits, in place."""
    hashed ^= hashed >> np.uint64(30)
    hashed *= _MIX[0]
    hashed ^= hashed >> np.uint64(27)
    hashed *= _MIX[1]
    hashed ^= hashed >> np.uint64(31)
    return hashed
