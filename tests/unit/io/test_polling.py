"""One question to several: answers as they come, and those nobody waits for any more."""

import asyncio
import logging

import pytest

from quorate.errors import Unavailable
from quorate_io import polling
from quorate_io.polling import Poll, Stragglers


async def after(seconds: float, answer: int) -> int:
    """An answer, later."""
    await asyncio.sleep(seconds)
    return answer


async def failing(error: Exception) -> int:
    """No answer."""
    raise error


async def test_answers_come_as_they_are_given() -> None:
    """The fastest first, an error as what it is; then there are no more."""
    calls = {"a": after(0.2, 1), "b": after(0.1, 2), "c": failing(Unavailable("away"))}
    async with Poll(calls, Stragglers()) as poll:
        first, second, third = await poll.next(), await poll.next(), await poll.next()
        assert first is not None
        assert (first[0], str(first[1])) == ("c", "away")
        assert (second, third, await poll.next()) == (("b", 2), ("a", 1), None)


async def test_who_is_not_waited_for_long() -> None:
    """None within the time; the answer is there when it is asked for again."""
    async with Poll({"a": after(0.1, 1)}, Stragglers()) as poll:
        assert (await poll.next(0.01), poll.waiting) == (None, 1)
        assert await poll.next(1.0) == ("a", 1)
        assert poll.waiting == 0


async def test_stragglers_end_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within their time they do; one that hangs is given up, and so is one too many."""
    monkeypatch.setattr(polling, "LATE_SECONDS", 0.2)
    monkeypatch.setattr(polling, "LATE_MAX", 2)
    ended: list[str] = []

    async def ending(name: str, seconds: float) -> int:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            ended.append(f"{name} given up")
            raise
        ended.append(name)
        return 0

    late = Stragglers()
    calls = {"soon": ending("soon", 0.1), "never": ending("never", 30)}
    async with Poll(calls, late):
        await asyncio.sleep(0)
    async with Poll({"more": ending("more", 0.1)}, late):
        await asyncio.sleep(0)
    await asyncio.sleep(0.4)
    assert ended == ["more given up", "soon", "never given up"]
    async with Poll({"last": ending("last", 30)}, late):
        await asyncio.sleep(0)
    await late.close()
    assert ended[-1] == "last given up"


async def test_who_asked_is_cancelled() -> None:
    """Then nobody goes on asking."""
    given_up = asyncio.Event()

    async def hang() -> int:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            given_up.set()
            raise
        return 0

    async def ask() -> None:
        async with Poll({"a": hang()}, Stragglers()) as poll:
            await poll.next()

    task = asyncio.create_task(ask())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(1):
        await given_up.wait()


async def test_a_mistake_of_ours_is_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    """It is raised and logged; of a straggler it is logged."""
    async with Poll({"a": failing(ValueError("a bug"))}, Stragglers()) as poll:
        with pytest.raises(ValueError, match="a bug"):
            await poll.next()
    with caplog.at_level(logging.ERROR):
        async with Poll({"b": failing(ValueError("another"))}, Stragglers()):
            pass
        await asyncio.sleep(0.05)
    assert "asking b failed" in caplog.text
