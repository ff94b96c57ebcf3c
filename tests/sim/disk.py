"""A member's disk: one log, synced in groups, that loses what was not synced, and sometimes more.

Honest faults: a sync that fails, a torn tail, a sync that takes long. A disk that says it synced
and did not is no honest fault: its member forgets what it said, and counts among the liars.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.sim.world import World


@dataclass(frozen=True, slots=True)
class Platter:
    """Seconds a sync takes at most, and the share of syncs that fail. ``lies``: syncs are said to
    be done that are not; ``capacity``: denials that fit."""

    sync_max: float = 0.004
    fails: float = 0.0
    lies: bool = False
    capacity: int = 10_000


class Disk:
    """What survives a crash is ``durable``; the rest may or may not."""

    def __init__(self, world: World, platter: Platter) -> None:
        self._world = world
        self.platter = platter
        self.durable: list[object] = []
        self._claimed: list[object] = []
        self._tail: list[object] = []
        self._waiting: list[Callable[[bool], None]] = []
        self._syncing = False
        self._life = 0

    def append(self, entry: object, done: Callable[[bool], None]) -> None:
        """Write ``entry``; ``done`` says whether it will be found after a crash."""
        self._tail.append(entry)
        self._waiting.append(done)
        if not self._syncing:
            self._begin()

    def write_through(self, entry: object) -> None:
        """Write ``entry`` and wait for it; for what must be known before a member starts."""
        self.durable.append(entry)

    def crash(self) -> None:
        """Forget the unsynced tail but for a piece of its beginning, and what was only claimed."""
        self._life += 1
        self.durable += self._tail[: self._world.random.randint(0, len(self._tail))]
        self._claimed, self._tail, self._waiting, self._syncing = [], [], [], False

    def lose(self) -> None:
        """The volume is gone."""
        self.durable = []

    def _begin(self) -> None:
        self._syncing = True
        size, life = len(self._tail), self._life
        delay = self._world.random.random() * self.platter.sync_max
        self._world.after(delay, lambda: self._end(size, life))

    def _end(self, size: int, life: int) -> None:
        if life != self._life:
            return
        self._syncing = False
        fails = self.platter.fails
        ok = not fails or self._world.random.random() >= fails
        done, self._waiting = self._waiting[:size], self._waiting[size:]
        written, self._tail = self._tail[:size], self._tail[size:]
        if self.platter.lies:
            self._claimed += written
        elif ok or self._world.random.random() < 0.5:
            self.durable += written
        for call in done:
            call(ok)
        if self._tail and not self._syncing:
            self._begin()
