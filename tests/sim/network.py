"""The network: delay, loss, duplication and cuts that may work in one direction only.

Reordering needs no device of its own: every message draws its own delay.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.sim.world import World


@dataclass(frozen=True, slots=True)
class Weather:
    """Seconds of delay, drawn evenly; shares of messages that are lost or come twice."""

    delay_min: float = 0.0005
    delay_max: float = 0.005
    lost: float = 0.0
    twice: float = 0.0


CALM = Weather()


@dataclass(frozen=True, slots=True)
class Cut:
    """From ``start`` to ``end`` nothing gets from ``sources`` to ``targets``."""

    start: float
    end: float
    sources: tuple[str, ...]
    targets: tuple[str, ...]


class Network:
    """Carries calls. Who sends is not forged: channels are authenticated on both ends."""

    def __init__(self, world: World, weather: Weather, cuts: tuple[Cut, ...]) -> None:
        self._world = world
        self._weather = weather
        self._cuts = cuts

    def heal(self) -> None:
        """From now on everything arrives."""
        self._weather = CALM
        self._cuts = ()

    def is_cut(self, source: str, target: str) -> bool:
        """Whether nothing gets from one to the other now."""
        now = self._world.now
        return any(
            cut.start <= now < cut.end and source in cut.sources and target in cut.targets
            for cut in self._cuts
        )

    def send(self, source: str, target: str, deliver: Callable[[], None]) -> None:
        """Do ``deliver`` once, twice or never, some time from now."""
        random, weather = self._world.random, self._weather
        if (self._cuts and self.is_cut(source, target)) or random.random() < weather.lost:
            return
        copies = 2 if weather.twice and random.random() < weather.twice else 1
        for _ in range(copies):
            delay = weather.delay_min + random.random() * (weather.delay_max - weather.delay_min)
            self._world.after(delay, deliver)
