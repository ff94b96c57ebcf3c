"""What runs for each member: a relay that tells it, and a reader of what it was told by pods.

Members come and go with the epochs, and so do those that were found lying.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from quorate.ports import Clock
from quorate_io.operator_client import MemberLink, OperatorClient
from quorate_operator.effects.relay import Relay
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.corroboration import Words
from quorate_operator.report_reader import ReportReader
from quorate_operator.world import World

FOLLOW_SECONDS = 2.0
"""How soon a member of a new epoch is told of the cluster."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Member:
    relay: Relay
    reader: ReportReader
    tasks: tuple[asyncio.Task[None], ...] = ()

    def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        self.relay.close()


class Committee:
    """All members. ``on_heard`` is called when one answers again and enough do, ``on_news`` when
    one has told what pods report.
    """

    def __init__(
        self,
        client: OperatorClient,
        world: World,
        clock: Clock,
        metrics: Metrics,
        monotonic: Callable[[], float],
    ) -> None:
        self._client = client
        self._world = world
        self._clock = clock
        self._metrics = metrics
        self._monotonic = monotonic
        self._members: dict[str, _Member] = {}
        self.on_heard: Callable[[], None] = lambda: None
        self.on_news: Callable[[], None] = lambda: None
        self.blind: Callable[[], bool] = lambda: False
        """Whether the watches are silent: then members are sent no heartbeat."""
        self.follow()

    def follow(self) -> None:
        """Have a relay for each member there is now, and for no other."""
        links = {link.name: link for link in self._client.members()}
        for name in self._members.keys() - links.keys():
            log.info("%s is a member no more", name)
            self._members.pop(name).end()
        for name, link in links.items():
            if name not in self._members:
                self._members[name] = self._begin(link)

    async def run(self) -> None:
        """Relay and read for ever."""
        async with asyncio.TaskGroup() as group:
            while True:
                self.follow()
                for member in self._members.values():
                    if not member.tasks:
                        running = (member.relay.run(), member.reader.run())
                        member.tasks = tuple(group.create_task(task) for task in running)
                await asyncio.sleep(FOLLOW_SECONDS)

    @property
    def relays(self) -> dict[str, Relay]:
        """The relays, by member."""
        return {name: member.relay for name, member in self._members.items()}

    @property
    def standing(self) -> frozenset[str]:
        """Members whose word counts."""
        history = self._world.history
        return frozenset(history.standing(history.head))

    def words(self) -> Iterable[Words]:
        """What each of them says that pods reported."""
        standing = self.standing
        return [m.reader.words for name, m in self._members.items() if name in standing]

    def silent(self) -> dict[str, float]:
        """Members whose word counts and that do not answer, and for how many seconds."""
        relays, standing = self.relays, self.standing
        return {
            name: relay.down_for()
            for name, relay in sorted(relays.items())
            if name in standing and not relay.reachable
        }

    def stores_broken(self) -> dict[str, str]:
        """Members whose word counts and that keep no votes any more, and why."""
        relays, standing = self.relays, self.standing
        return {
            name: relay.store_broken
            for name, relay in sorted(relays.items())
            if name in standing and relay.store_broken
        }

    def hopeless(self) -> str:
        """Why it makes no sense to ask the members to sign something; empty if it does.

        How many must sign stands in the epoch, and does not follow who is there.
        """
        needed = self._world.history.head.record.thresholds.strict
        silent = self.silent()
        there = len(self.standing & self._members.keys()) - len(silent)
        if there >= needed:
            return ""
        away = f"; {', '.join(silent)} did not" if silent else ""
        return f"{there} of {self._size} members answered the operator; {needed} must sign{away}"

    def _heard(self) -> None:
        if not self.hopeless():
            self.on_heard()

    @property
    def _size(self) -> int:
        return self._world.history.head.record.thresholds.n

    def _begin(self, link: MemberLink) -> _Member:
        relay = Relay(link, self._world, self._clock, self._metrics, self._monotonic)
        relay.on_heard = self._heard
        relay.blind = lambda: self.blind()
        reader = ReportReader(link, self._world, self._monotonic)
        reader.on_news = lambda: self.on_news()
        return _Member(relay, reader)
