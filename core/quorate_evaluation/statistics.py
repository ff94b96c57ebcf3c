"""Intervals of what was counted. Pure; randomness comes from a seed.

Sources: E. B. Wilson, JASA 22 (1927), for one proportion; R. G. Newcombe, Statistics in Medicine 17
(1998) 2635-2650, method 10, for the difference of two proportions in pairs; B. Efron, Annals of
Statistics 7 (1979), for the percentile bootstrap.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Z95: Final = 1.959963984540054
RESAMPLES: Final = 1000


@dataclass(frozen=True, slots=True)
class Interval:
    """Both ends of a 95 % interval."""

    low: float
    high: float


def wilson(successes: int, trials: int, z: float = Z95) -> Interval:
    """Wilson's score interval of a proportion; all of [0, 1] without a trial.

    Raises ValueError unless 0 <= successes <= trials.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials}")
    if trials == 0:
        return Interval(0.0, 1.0)
    share = successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    spread = share * (1 - share) / trials + z * z / (4 * trials * trials)
    half = z * math.sqrt(spread) / (1 + z * z / trials)
    # The ends are exact at the edges; rounding must not cut the proportion itself off.
    return Interval(
        0.0 if successes == 0 else max(0.0, min(middle - half, share)),
        1.0 if successes == trials else min(1.0, max(middle + half, share)),
    )


def paired_difference(both: int, first: int, second: int, neither: int) -> Interval:
    """Interval of (share of yes to the first) - (share of yes to the second), in matched pairs.

    ``both`` and ``neither`` count pairs with equal answers, ``first`` and ``second`` pairs where
    only that one got a yes. All of [-1, 1] without a pair.
    """
    pairs = both + first + second + neither
    if min(both, first, second, neither) < 0:
        raise ValueError("counts are not negative")
    if pairs == 0:
        return Interval(-1.0, 1.0)
    one, other = (both + first) / pairs, (both + second) / pairs
    a, b = wilson(both + first, pairs), wilson(both + second, pairs)
    phi = _correlation(both, first, second, neither)
    below = _combined(one - a.low, b.high - other, phi)
    above = _combined(a.high - one, other - b.low, phi)
    return Interval(max(-1.0, one - other - below), min(1.0, one - other + above))


def _combined(first: float, second: float, phi: float) -> float:
    return math.sqrt(max(0.0, first * first - 2 * phi * first * second + second * second))


def _correlation(both: int, first: int, second: int, neither: int) -> float:
    """Newcombe's phi, with his correction for continuity."""
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    if margins == 0:
        return 0.0
    product = both * neither - first * second
    half = (both + first + second + neither) / 2
    if product > 0:
        product = int(max(product - half, 0))
    return product / math.sqrt(margins)


def bootstrap_mean(values: Sequence[float], seed: int, resamples: int = RESAMPLES) -> Interval:
    """Percentile bootstrap of the mean. Raises ValueError without a value.

    Where all values are equal nothing varies, and both ends are that value: it says nothing of how
    few they are.
    """
    if not values:
        raise ValueError("no values")
    draw = random.Random(seed)  # noqa: S311 - resampling, not secrets
    size = len(values)
    means = sorted(math.fsum(draw.choices(values, k=size)) / size for _ in range(resamples))
    cut = int(0.025 * resamples)
    mean = math.fsum(values) / size
    return Interval(min(means[cut], mean), max(means[resamples - 1 - cut], mean))
