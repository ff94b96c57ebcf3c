"""Trains the linear classifier: logistic regression by stochastic gradient descent, in numpy.

Deterministic: one thread, a seed, sums in a fixed order; the weights are rounded to whole numbers.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quorate.text import normal
from quorate_features.linear import BUCKETS, Linear, windows
from quorate_training.judges.texts import Split, Text, texts

SEED: Final = 5
TRAINING: Final = 6_000
CALIBRATION: Final = 4_000
FALSE_ALARMS: Final = 0.01
"""Share of harmless calibration texts that the threshold denies."""
WEIGHT_MAX: Final = 127


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the weights, but for the texts."""

    epochs: int = 4
    rate: float = 0.3
    decay: float = 1e-3


def train(seed: int = SEED, recipe: Recipe | None = None, count: int = TRAINING) -> Linear:
    """A model of texts made by script. ``count`` of them; fewer for a test."""
    samples = [_sample(text) for text in texts(seed, count, Split.TRAINING)]
    weights, bias = _fit(samples, recipe or Recipe(), seed)
    unit = float(np.abs(weights).max()) / WEIGHT_MAX
    rounded = np.clip(np.rint(weights / unit), -WEIGHT_MAX, WEIGHT_MAX).astype(np.int8)
    model = Linear(rounded, unit, bias, 0.0)
    size = max(200, count * CALIBRATION // TRAINING)
    calibration = texts(seed + 1, size, Split.CALIBRATION)
    threshold = threshold_of(model, [text for text in calibration if not text.unsafe])
    return Linear(rounded, unit, bias, threshold)


def threshold_of(model: Linear, harmless: Sequence[Text]) -> float:
    """The margin that FALSE_ALARMS of the harmless texts reach, rounded up."""
    margins = sorted(model.suspicion(text.text) for text in harmless)
    at = min(len(margins) - 1, int((1 - FALSE_ALARMS) * len(margins)))
    return round(margins[at] + 1e-3, 3)


def _sample(text: Text) -> tuple[list[NDArray[np.int64]], float]:
    return windows(normal(text.text)), 1.0 if text.unsafe else 0.0


def _fit(
    samples: Sequence[tuple[list[NDArray[np.int64]], float]], recipe: Recipe, seed: int
) -> tuple[NDArray[np.float64], float]:
    """Weights and bias. Of a text with several windows the most suspicious one learns: of an
    attack it is the one that matters, of a harmless text the one that must not alarm."""
    weights, bias = np.zeros(BUCKETS, dtype=np.float64), 0.0
    draw = random.Random(seed)  # noqa: S311 - repeatable training is the point
    order = list(range(len(samples)))
    steps, done = recipe.epochs * len(samples), 0
    for _ in range(recipe.epochs):
        draw.shuffle(order)
        for index in order:
            features, wanted = samples[index]
            found = [(_margin(weights, bias, each), each) for each in features]
            margin, window = max(found, key=lambda pair: pair[0])
            rate = recipe.rate * (1.0 - done / steps)
            error = wanted - 1.0 / (1.0 + np.exp(-np.clip(margin, -30.0, 30.0)))
            weights[window] += rate * (
                error / np.sqrt(len(window)) - recipe.decay * weights[window]
            )
            bias += 0.01 * rate * error
            done += 1
    return weights, round(float(bias), 6)


def _margin(weights: NDArray[np.float64], bias: float, window: NDArray[np.int64]) -> float:
    return float(weights[window].sum() / np.sqrt(max(1, len(window))) + bias)
