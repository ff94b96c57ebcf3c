import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate_operator.kinds import Key
from quorate_operator.turns import Turns
from quorate_operator.workqueue import BACKOFF_MAX, WorkQueue
from tests.unit.operator.fake_api import Monotonic


def key(name: str) -> Key:
    """A key."""
    return Key("Pod", "n", name)


def queue(clock: Monotonic, *, keys_max: int = 100, min_interval: float = 1.0) -> WorkQueue:
    """A queue on a clock that stands."""
    return WorkQueue("test", keys_max=keys_max, min_interval=min_interval, clock=clock)


async def taken(queue_: WorkQueue) -> list[str]:
    """Every key that is ready now, finished at once."""
    names: list[str] = []
    while True:
        try:
            async with asyncio.timeout(0.01):
                found = await queue_.get()
        except TimeoutError:
            return names
        names.append(found.name)
        queue_.done(found)


async def test_key_waits_at_most_once() -> None:
    """What is added twice is looked at once, in the order of the first time."""
    queue_ = queue(Monotonic())
    for name in "abab":
        queue_.add(key(name))
    assert await taken(queue_) == ["a", "b"]


async def test_key_is_worked_on_by_one_worker_and_again_if_it_was_added_meanwhile() -> None:
    """A change during the look is not lost, and does not start a second look beside it."""
    clock = Monotonic()
    queue_ = queue(clock)
    queue_.add(key("a"))
    found = await queue_.get()
    queue_.add(found)
    assert await taken(queue_) == []
    queue_.done(found)
    clock.time += 1.0
    assert await taken(queue_) == ["a"]
    clock.time += 5.0
    assert await taken(queue_) == []


async def test_key_that_comes_back_waits_for_its_interval() -> None:
    """A key that changes all the time does not take every worker."""
    clock = Monotonic()
    queue_ = queue(clock)
    queue_.add(key("a"))
    assert await taken(queue_) == ["a"]
    queue_.add(key("a"))
    assert await taken(queue_) == []
    clock.time += 0.99
    assert await taken(queue_) == []
    clock.time += 0.01
    assert await taken(queue_) == ["a"]


async def test_failures_come_back_ever_later_until_one_succeeds() -> None:
    """The wait doubles, within its spread, up to its bound."""
    clock = Monotonic()
    queue_ = queue(clock, min_interval=0.0)
    queue_.add(key("a"))
    for failures in range(12):
        found = await queue_.get()
        queue_.failed(found)
        wait = min(BACKOFF_MAX, 0.1 * 2**failures)
        clock.time += wait / 2 - 0.001
        assert await taken(queue_) == [], failures
        clock.time += wait / 2 + 0.002
    assert await taken(queue_) == ["a"]
    queue_.add(key("a"))
    found = await queue_.get()
    queue_.failed(found)
    clock.time += 0.11
    assert await taken(queue_) == ["a"]


async def test_sooner_beats_later() -> None:
    """A key that is due in an hour and is changed now is looked at now, and not again for that."""
    clock = Monotonic()
    queue_ = queue(clock)
    queue_.add_in(key("a"), 3600.0)
    queue_.add_in(key("a"), 10.0)
    queue_.add_in(key("a"), 20.0)
    clock.time += 10.0
    assert await taken(queue_) == ["a"]
    clock.time += 3600.0
    assert await taken(queue_) == []


@pytest.mark.requirement("operator: handlers only enqueue to a bounded queue")
async def test_overflow_is_noticed_and_bounded() -> None:
    """Beyond the bound keys are dropped, and whoever drains the queue is told to start over."""
    queue_ = queue(Monotonic(), keys_max=2)
    for name in "abc":
        queue_.add(key(name))
    assert queue_.overflowed
    assert await taken(queue_) == ["a", "b"]
    later = queue(Monotonic(), keys_max=2)
    for name in "abc":
        later.add_in(key(name), 5.0)
    assert later.overflowed


async def test_waiting_worker_is_woken() -> None:
    """A worker that waits gets a key that is added, or that becomes due."""
    queue_ = WorkQueue("test", keys_max=10, min_interval=0.0)
    waiting = asyncio.create_task(queue_.get())
    await asyncio.sleep(0)
    queue_.add(key("a"))
    assert await asyncio.wait_for(waiting, 1.0) == key("a")
    waiting = asyncio.create_task(queue_.get())
    await asyncio.sleep(0)
    queue_.add_in(key("b"), 0.01)
    assert await asyncio.wait_for(waiting, 1.0) == key("b")


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add_in", "take", "done", "failed", "pass"]),
        st.sampled_from("abc"),
        st.floats(0, 100),
    ),
    max_size=60,
)


class Driver:
    """Carries out random operations on a queue, and keeps account of what it owes."""

    def __init__(self) -> None:
        self.clock = Monotonic()
        self.queue = queue(self.clock)
        self.owed: set[Key] = set()
        self.working: set[Key] = set()

    async def take(self) -> None:
        """Take a key if one is ready."""
        try:
            async with asyncio.timeout(0):
                found = await self.queue.get()
        except TimeoutError:
            return
        assert found not in self.working
        self.working.add(found)
        self.owed.discard(found)

    def end(self, found: Key, how: str) -> None:
        """End the work on a key, if it is being worked on."""
        if found not in self.working:
            return
        self.working.discard(found)
        if how == "failed":
            self.queue.failed(found)
            self.owed.add(found)
        else:
            self.queue.done(found)

    async def follow(self, operation: str, name: str, seconds: float) -> None:
        """Carry out one operation."""
        if operation == "take":
            await self.take()
        elif operation == "pass":
            self.clock.time += seconds
        elif operation in ("done", "failed"):
            self.end(key(name), operation)
        else:
            self.owed.add(key(name))
            if operation == "add":
                self.queue.add(key(name))
            else:
                self.queue.add_in(key(name), seconds)

    async def drain(self) -> None:
        """Let time pass and finish whatever comes."""
        for _ in range(10):
            for found in list(self.working):
                self.end(found, "done")
            self.clock.time += 1000.0
            await self.take()


@settings(max_examples=100, deadline=None)
@given(OPERATIONS)
def test_no_added_key_is_ever_lost(operations: list[tuple[str, str, float]]) -> None:
    """Property: after its last addition a key is taken at least once, never twice at a time."""

    async def run() -> None:
        driver = Driver()
        for operation in operations:
            await driver.follow(*operation)
        await driver.drain()
        assert driver.owed == set()

    asyncio.run(run())


async def test_namespaces_take_turns_and_none_takes_all_workers() -> None:
    """A tenant with a thousand models holds up itself, not the one with one model."""
    queue_ = WorkQueue("test", keys_max=100, min_interval=0.0, at_once=2, clock=Monotonic())
    for number in range(10):
        queue_.add(Key("AttestedModel", "greedy", str(number)))
    queue_.add(Key("AttestedModel", "modest", "only"))
    first = [await queue_.get() for _ in range(3)]
    assert [(key.namespace, key.name) for key in first] == [
        ("greedy", "0"),
        ("modest", "only"),
        ("greedy", "1"),
    ]
    # Two of it are out: another waits until one of them comes back, and is woken by that.
    waiting = asyncio.create_task(queue_.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    queue_.done(first[1])
    await asyncio.sleep(0.01)
    assert not waiting.done()
    queue_.failed(first[0])
    assert (await waiting).name == "2"
    assert len(queue_) == 9


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20)), unique=True, max_size=40),
    st.integers(1, 4),
)
@settings(deadline=None)
def test_every_key_has_its_turn(keys: list[tuple[str, int]], at_once: int) -> None:
    """All come, once each, a namespace's own in order, never more than so many at a time."""
    turns = Turns(at_once)
    for namespace, number in keys:
        turns.add(Key("AttestedModel", namespace, str(number)))
    came: list[Key] = []
    out: list[Key] = []
    while len(came) < len(keys):
        found = turns.take()
        if found is None:
            turns.back(out.pop(0))
            continue
        came.append(found)
        out.append(found)
        assert sum(key.namespace == found.namespace for key in out) <= at_once
    assert turns.take() is None
    for namespace in "abc":
        own = [int(key.name) for key in came if key.namespace == namespace]
        assert own == [number for name, number in keys if name == namespace]
