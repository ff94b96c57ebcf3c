"""Rate and capacity: how much is taken on, and when there is room again."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate_sidecar.capacity import Capacity
from quorate_sidecar.rate import TokenBucket
from quorate_sidecar.refusal import Code, Refusal


@pytest.mark.requirement("sidecar: requests a minute are limited per pod")
def test_a_minutes_tokens_then_evenly() -> None:
    """The first minute's tokens are there at once; then one every 60/rate seconds."""
    bucket = TokenBucket(60, now=100.0)
    assert [bucket.take(100.0) for _ in range(60)] == [0] * 60
    assert bucket.take(100.0) >= 1
    assert bucket.take(101.0) == 0
    assert bucket.take(101.0) >= 1
    assert bucket.take(400.0) == 0


@settings(deadline=None)
@given(
    st.integers(1, 600), st.lists(st.floats(0, 5, allow_nan=False), min_size=1, max_size=200)
)  # fmt: skip
def test_never_more_than_the_bucket_and_its_refill(rate: int, gaps: list[float]) -> None:
    """At any moment, what was granted is at most one bucket plus what flowed in since."""
    bucket, now, granted = TokenBucket(rate, 0.0), 0.0, 0
    for gap in gaps:
        now += gap
        wait = bucket.take(now)
        granted += wait == 0
        assert granted <= rate + now * rate / 60 + 1e-6
        assert 0 <= wait <= 61


def test_waiting_as_told_is_enough() -> None:
    """A client that waits the seconds it was told gets its token."""
    for rate in (1, 7, 59, 600):
        bucket = TokenBucket(rate, 0.0)
        while bucket.take(0.0) == 0:
            pass
        wait = bucket.take(0.0)
        assert bucket.take(float(wait)) == 0


def test_clock_that_goes_back_gives_nothing() -> None:
    """Time is only believed forward."""
    bucket = TokenBucket(1, 100.0)
    assert bucket.take(100.0) == 0
    assert bucket.take(50.0) > 0
    assert bucket.take(100.0) > 0


def test_limit_of_zero_lets_nothing_through() -> None:
    """No division by it either."""
    assert TokenBucket(0, 0.0).take(1000.0) == 60


def test_new_limit_takes_effect() -> None:
    """A policy that tightens is followed at once, with nothing saved up."""
    bucket = TokenBucket(600, 0.0)
    bucket.resize(1)
    assert bucket.take(0.0) == 0
    assert bucket.take(0.0) > 0


@pytest.mark.requirement("sidecar: concurrency is bounded, without a queue")
def test_requests_in_flight_are_bounded() -> None:
    """One more than the bound is refused until one leaves."""
    capacity = Capacity(requests=2)
    capacity.enter()
    capacity.enter()
    with pytest.raises(Refusal) as refused:
        capacity.enter()
    assert (refused.value.status, refused.value.code) == (429, Code.BUSY)
    assert refused.value.retry_after
    capacity.leave()
    capacity.enter()


def test_bodies_are_bounded_together() -> None:
    """Memory for bodies is one sum."""
    capacity = Capacity(body_bytes=100)
    capacity.reserve(60)
    with pytest.raises(Refusal):
        capacity.reserve(50)
    capacity.release(60)
    capacity.reserve(100)


async def test_idle_waits_for_the_last_one() -> None:
    """Draining ends when nothing is in flight, and not before."""
    capacity = Capacity()
    capacity.enter()
    capacity.enter()
    waiting = asyncio.ensure_future(capacity.idle())
    await asyncio.sleep(0)
    capacity.leave()
    await asyncio.sleep(0)
    assert not waiting.done()
    capacity.leave()
    await asyncio.wait_for(waiting, 1)
    await capacity.idle()
