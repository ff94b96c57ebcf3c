"""An operator that takes records to five members while everything fails that may: one chain, no
member that signed two records of a number, and an end once nothing fails any more."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.consensus.epoch import Change
from quorate_operator.effects.api_server import ApiUnavailable
from tests.unit.operator.chain_members import forged
from tests.unit.operator.committee_stand import PATH, Stand

MEMBERS = [f"m{i}" for i in range(5)]
NAMES = ("one", "two", "three")
names = st.sampled_from(MEMBERS)


@dataclass(frozen=True)
class Order:
    """The proposals there are now, in this order."""

    proposals: tuple[str, ...]


@dataclass(frozen=True)
class Away:
    """A member comes or goes."""

    name: str
    away: bool


@dataclass(frozen=True)
class Doubts:
    """A member does not stand in for what it is asked, or does again."""

    name: str
    doubts: bool


@dataclass(frozen=True)
class Faulty:
    """The API server stops after so many calls of the next look."""

    calls: int


@dataclass(frozen=True)
class Crash:
    """The operator ends, and another one begins."""


@dataclass(frozen=True)
class Lost:
    """The API server forgets the status."""


Step = Order | Away | Doubts | Faulty | Crash | Lost
steps = st.one_of(
    st.permutations(NAMES).map(lambda found: Order(tuple(found))),
    st.builds(Away, names, st.booleans()),
    st.builds(Doubts, names, st.booleans()),
    st.builds(Faulty, st.integers(0, 4)),
    st.just(Crash()),
)


class Run:
    """Three records for one number, all signed by administrators, and perhaps a liar."""

    def __init__(self, liar: str | None) -> None:
        self.stand = Stand()
        made = zip(NAMES, "bcd", strict=True)
        self.proposals = {n: self.stand.proposal(n, self.stand.record(c)) for n, c in made}
        self.liar = liar
        if liar is not None:
            self.stand.members.all[liar].lie = forged(liar)

    async def play(self, played: Sequence[Step]) -> None:
        """One step, then a look; what must hold holds after each."""
        self.order(NAMES)
        for step in played:
            match step:
                case Order(proposals):
                    self.order(proposals)
                case Away(name, away):
                    self.stand.members.all[name].away = away
                case Doubts(name, doubts):
                    self.stand.members.all[name].doubt = "not yet" if doubts else ""
                case Faulty(calls):
                    self.fail_after(calls)
                case Crash():
                    self.stand.start()
                case Lost():
                    self.stand.api.objects[PATH].pop("status", None)
            await self.stand.look()
            self.stand.api.fault = lambda method, path: None
            self.check()

    def order(self, proposals: Sequence[str]) -> None:
        """Have these proposed."""
        self.stand.propose(*(self.proposals[name] for name in proposals))

    def fail_after(self, calls: int) -> None:
        """The API server answers only so many more."""
        left = calls

        def fault(method: str, path: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise ApiUnavailable("gone")

        self.stand.api.fault = fault

    async def settle(self) -> None:
        """Nothing fails any more, but that a liar lies."""
        for member in self.stand.members.all.values():
            member.away, member.doubt = False, ""
        await self.stand.look(6)
        self.check()

    def check(self) -> None:
        """One chain, of which each knows a part; nobody signed twice; nothing unsigned is shown."""
        everyone = self.stand.members.all.values()
        chains = [[one.record for one in member.records] for member in everyone]
        longest = max(chains, key=len)
        assert all(chain == longest[: len(chain)] for chain in chains)
        assert all(len(signed) == 1 for m in everyone for signed in m.signed.values())
        certified = [one.name for one in self.stand.status.proposals if one.phase == "Certified"]
        assert len(certified) <= 1
        head = self.stand.world.history.head.record
        if certified:
            assert head.number == 1
            assert head.change is Change.POLICIES


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, max_size=12), st.none() | names)
def test_whatever_fails_the_chain_is_one_and_goes_on(played: list[Step], liar: str | None) -> None:
    """Proposals change places, members come, go and refuse, a liar signs nonsense, the API server
    and the operator stop anywhere: in the end exactly one of the three is in force everywhere."""

    async def scenario() -> None:
        run = Run(liar)
        await run.play(played)
        await run.settle()
        assert run.stand.members.heads() == [1] * 5
        phases = sorted(run.stand.phase(name) for name in NAMES)
        assert phases == ["Certified", "Superseded", "Superseded"]

    asyncio.run(scenario())


@settings(max_examples=25, deadline=None)
@given(st.lists(steps | st.just(Lost()), max_size=12), st.none() | names)
def test_an_api_server_that_forgets_makes_no_second_chain(
    played: list[Step], liar: str | None
) -> None:
    """With the operator gone at the same time members may be split; then there is no next epoch,
    but never two."""

    async def scenario() -> None:
        run = Run(liar)
        await run.play(played)
        await run.settle()

    asyncio.run(scenario())
