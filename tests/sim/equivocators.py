"""The zoo, second half: members that sign what no machine would, with every key they own."""

from typing import TYPE_CHECKING

import msgspec

from quorate.consensus import quarantine, wire
from quorate.consensus.equivocation import Equivocation
from quorate.consensus.wire import Ask, Ballot, Verdict, Vote
from quorate.errors import QuorateError
from tests.sim import crafting
from tests.sim.records import quarantine_of
from tests.sim.requests import Truth
from tests.sim.strategy import Answer, Strategy

if TYPE_CHECKING:
    from tests.sim.node import Node


class Signing(Strategy):
    """Answers past the machine, and signs every record it is shown."""

    faulty = convictable = True
    sequence = 0

    def endorses_anything(self) -> bool:
        return True

    def answer(self, asker: str, data: bytes, place: str, answer: Answer) -> bool:
        try:
            ask = wire.decode(data, Ask)
        except QuorateError:
            return False
        vote = self.vote(asker, ask)
        if vote is None:
            return False
        self.node.say(asker, place, wire.encode(vote), answer)
        return True

    def vote(self, asker: str, ask: Ask) -> Vote | None:
        """What it sends; None leaves it to the machine."""
        raise NotImplementedError

    def cast(self, ask: Ask, verdict: Verdict) -> Vote:
        """A vote at the next place of its own sequence."""
        self.sequence += 1
        made = crafting.ballot(self.node, ask, verdict, sequence=self.sequence)
        return crafting.vote(self.node, made)


class FlipFlop(Signing):
    """Approves and denies in turn, the same request too."""

    def vote(self, asker: str, ask: Ask) -> Vote | None:
        return self.cast(ask, Verdict(self.sequence % 2))


class PerCollector(Signing):
    """Approves to one asker what it denies to another, both at one place of its sequence."""

    def vote(self, asker: str, ask: Ask) -> Vote | None:
        verdict = Verdict.APPROVE if asker.endswith("0") else Verdict.DENY
        place = 1 + int.from_bytes(wire.request_digest(ask.request)[:4], "big")
        return crafting.vote(self.node, crafting.ballot(self.node, ask, verdict, sequence=place))


class Replay(Signing):
    """Answers with votes it cast before: for another nonce, another audience, an older epoch."""

    def __init__(self, node: "Node") -> None:
        super().__init__(node)
        self._cast: list[Vote] = []

    def vote(self, asker: str, ask: Ask) -> Vote | None:
        fresh = self.cast(ask, Verdict.APPROVE)
        self._cast.append(fresh)
        return self.node.scene.world.random.choice(self._cast)


class Forge(Signing):
    """Votes in others' names, delegations it has no right to, and things that are no votes."""

    def vote(self, asker: str, ask: Ask) -> Vote | None:
        others = [name for name in self.node.scene.plan.members if name != self.node.name]
        victim = self.node.scene.world.random.choice(others or [self.node.name])
        made = crafting.ballot(self.node, ask, Verdict.APPROVE, sequence=1)
        match self.node.scene.world.random.randrange(4):
            case 0:
                return crafting.vote(self.node, crafting.rename(made, victim), member=victim)
            case 1:
                return crafting.vote(self.node, crafting.rename(made, victim))
            case 2:
                return crafting.vote(self.node, made, member=victim)
            case _:
                return crafting.turned(self.cast(ask, Verdict.DENY))


class Colluding(Signing):
    """Two with one mind: both approve to the first asker and deny to the second."""

    def vote(self, asker: str, ask: Ask) -> Vote | None:
        return self.cast(ask, Verdict.APPROVE if asker.endswith("0") else Verdict.DENY)


class Framer(Signing):
    """Approves what is unsafe, and accuses an honest member with evidence that is none."""

    def vote(self, asker: str, ask: Ask) -> Vote | None:
        request = self.node.scene.register.find(ask.request)
        vote = self.cast(ask, Verdict.APPROVE)
        self._frame(vote)
        return vote if request.truth is Truth.UNSAFE else None

    def _frame(self, own: Vote) -> None:
        scene, head = self.node.scene, self.node.link.head
        others = [seat for seat in head.record.seats if seat.name != self.node.name]
        if not others or self.sequence % 3 != 1:
            return
        victim = scene.world.random.choice(others)
        other = crafting.turned(own)
        if scene.world.random.random() < 0.5:
            # Genuine evidence, of its own lie, in a record that names somebody else.
            cast = wire.decode(own.ballot.body, Ballot)
            denial = msgspec.structs.replace(cast, verdict=Verdict.DENY)
            other = crafting.vote(self.node, denial)
        evidence = quarantine.encode(Equivocation((own, other)))
        record = quarantine_of(head, victim.name, evidence)
        scene.submit(self.node.name, record, evidence)
