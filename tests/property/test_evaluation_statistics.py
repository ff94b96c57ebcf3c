"""Intervals: what holds for every count."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate_evaluation.statistics import bootstrap_mean, paired_difference, wilson

counts = st.integers(0, 400)


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_wilson_holds_the_share(first: int, second: int) -> None:
    """The interval is within [0, 1] and holds the share; the mirror's is the mirror image."""
    successes, trials = min(first, second), max(first, second)
    interval = wilson(successes, trials)
    assert 0 <= interval.low <= interval.high <= 1
    if trials:
        assert interval.low <= successes / trials <= interval.high
    mirror = wilson(trials - successes, trials)
    assert math.isclose(mirror.low, 1 - interval.high, abs_tol=1e-12)


@given(st.integers(1, 500), st.integers(2, 20))
def test_wilson_narrows_with_more_trials(trials: int, times: int) -> None:
    """The same share among more trials has a narrower interval."""
    few, many = wilson(trials // 3, trials), wilson(trials // 3 * times, trials * times)
    if trials % 3 == 0:
        assert many.high - many.low < few.high - few.low


@given(counts, counts, counts, counts)
def test_paired_difference_holds_the_difference(
    both: int, first: int, second: int, neither: int
) -> None:
    """The interval is within [-1, 1], holds the difference, and turns with the sides."""
    interval = paired_difference(both, first, second, neither)
    pairs = both + first + second + neither
    assert -1 <= interval.low <= interval.high <= 1
    if pairs:
        assert interval.low - 1e-12 <= (first - second) / pairs <= interval.high + 1e-12
    turned = paired_difference(both, second, first, neither)
    assert math.isclose(turned.low, -interval.high, abs_tol=1e-12)
    assert math.isclose(turned.high, -interval.low, abs_tol=1e-12)


@given(st.integers(1, 400))
def test_no_difference_among_few_is_still_uncertain(pairs: int) -> None:
    """Pairs that all agree leave a bound above zero, smaller the more there are."""
    bound = paired_difference(pairs, 0, 0, 0).high
    assert 0 < bound <= 1
    assert paired_difference(pairs * 2, 0, 0, 0).high < bound


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-5, 5, allow_nan=False), min_size=1, max_size=40), st.integers(0, 2**31))
def test_bootstrap_is_within_what_was_seen(values: list[float], seed: int) -> None:
    """The ends lie between least and greatest value, hold the mean, and are the seed's alone."""
    interval = bootstrap_mean(values, seed, resamples=100)
    mean = math.fsum(values) / len(values)
    assert min(values) - 1e-9 <= interval.low <= mean <= interval.high <= max(values) + 1e-9
    assert interval == bootstrap_mean(values, seed, resamples=100)


def test_known_values() -> None:
    """Figures of the sources: Wilson for 81 of 263, Newcombe's method 10 for his table's cases."""
    interval = wilson(81, 263)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.2553, 0.3662)
    paired = paired_difference(36, 12, 2, 0)
    assert (round(paired.low, 4), round(paired.high, 4)) == (0.0569, 0.3404)


@pytest.mark.parametrize("successes", [-1, 6])
def test_impossible_counts_are_errors(successes: int) -> None:
    """More successes than trials is a fault of the caller."""
    with pytest.raises(ValueError):
        wilson(successes, 5)
