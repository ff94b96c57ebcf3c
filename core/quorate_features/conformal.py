"""Conformal p-values: how many of a calibration set are at least as strange.

Whatever the scores mean, a request drawn like the calibration set has a p-value of at most ``a``
with a probability of at most ``a`` (V. Vovk, A. Gammerman, G. Shafer, 2005, section 2.4).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

CALIBRATION_MIN: Final = 99
"""Scores below which no p-value reaches 1 %."""

Scores = NDArray[np.float64]


def p_value(score: float, calibration: Scores) -> float:
    """(1 + how many of the sorted ``calibration`` are at least ``score``) / (1 + how many)."""
    at_least = len(calibration) - int(np.searchsorted(calibration, score, side="left"))
    return (1 + at_least) / (1 + len(calibration))


def sorted_scores(scores: Sequence[float]) -> Scores:
    """A calibration set."""
    return np.sort(np.asarray(scores, dtype=np.float64))
