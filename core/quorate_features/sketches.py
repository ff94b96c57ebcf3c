"""Bottom-k sketches: a few hashes that stand for a text, and how much of it is in another.

The smallest hashes of a text's n-grams are a random sample of them (A. Broder, Compression and
Complexity of Sequences 1997). The share of that sample among another text's n-grams estimates how
much of the one is contained in the other, however long the other is.
"""

from typing import Final

import numpy as np

from quorate.text import squash
from quorate_features.shingles import Hashes, code_points, ngrams

SIZE: Final = 8
"""Letters and digits of an n-gram."""
SKETCH_MAX: Final = 64
SKETCH_MIN: Final = 24
"""A text with fewer n-grams is too short to be told by them."""


def hashes(text: str) -> Hashes:
    """The n-gram hashes of the letters and digits of ``text``, in order."""
    return ngrams(code_points(squash(text)), SIZE) >> np.uint64(32)


def grams(text: str) -> Hashes:
    """The distinct :func:`hashes` of ``text``, sorted."""
    return np.unique(hashes(text))


def sketch(text: str) -> tuple[int, ...]:
    """The SKETCH_MAX smallest hashes; empty for a text that is too short."""
    found = grams(text)
    return tuple(int(value) for value in found[:SKETCH_MAX]) if len(found) >= SKETCH_MIN else ()


def contained(sketches: Hashes, text: Hashes) -> float:
    """The share of one sketch's hashes that are among those of :func:`grams`."""
    if not len(sketches):
        return 0.0
    return float(np.isin(sketches, text, assume_unique=True).sum()) / len(sketches)
