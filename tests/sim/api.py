"""The API server with the operator's relay: orders candidates, collects signatures, spreads chains.

The honest one gives each number to one candidate at a time. The hostile one shows two candidates
of one number to different members, keeps what it should spread, and spreads what it made up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from quorate.consensus import succession
from quorate.consensus.epoch import Epoch, EpochRecord
from quorate.consensus.succession import CertifiedRecord, Endorsement
from quorate.errors import QuorateError
from tests.sim.asker import Asker
from tests.sim.node import Node
from tests.sim.scene import Scene

ROUND_SECONDS = 0.15
ROUNDS = 10
"""A candidate that is not certified by then makes room for another."""


@dataclass(slots=True, eq=False)
class Candidate:
    """A proposed record, and who signed it."""

    record: EpochRecord
    evidence: bytes
    admins: tuple[Endorsement, ...]
    members: dict[str, Endorsement] = field(default_factory=dict)
    rounds: int = 0
    """How often it was offered."""


class Api:
    """The honest one."""

    name = "api"

    def __init__(self, scene: Scene, nodes: Sequence[Node], askers: Sequence[Asker]) -> None:
        self.scene, self.nodes, self.askers = scene, nodes, askers
        self.chain: list[CertifiedRecord] = []
        self.head: Epoch = scene.genesis
        self.candidates: list[Candidate] = []

    # Candidates -------------------------------------------------------------------------------

    def submit(
        self, record: EpochRecord, evidence: bytes = b"", admins: tuple[Endorsement, ...] = ()
    ) -> None:
        """Compare and swap: one candidate at a time, for the next number."""
        if record.number != self.head.record.number + 1 or not self.has_room(record):
            return
        candidate = Candidate(record, evidence, admins)
        self.candidates.append(candidate)
        self._offer(candidate)

    def has_room(self, record: EpochRecord) -> bool:
        """Whether another candidate is taken."""
        return not self.candidates

    def is_shown(self, candidate: Candidate, node: Node) -> bool:
        """Whether ``node`` gets to see ``candidate``."""
        return True

    def _offer(self, candidate: Candidate) -> None:
        if candidate not in self.candidates:
            return
        candidate.rounds += 1
        if candidate.rounds > ROUNDS:
            self.candidates.remove(candidate)
            return
        for node in self.nodes:
            if node.name not in candidate.members and self.is_shown(candidate, node):
                self._offer_to(candidate, node)
        self.scene.world.after(ROUND_SECONDS, partial(self._offer, candidate))

    def _offer_to(self, candidate: Candidate, node: Node) -> None:
        def answer(endorsement: Endorsement) -> None:
            collect = partial(self._collect, candidate, endorsement)
            self.scene.network.send(node.address, self.name, collect)

        def deliver() -> None:
            if node.up:
                node.offer(candidate.record, candidate.evidence, answer)

        self.scene.network.send(self.name, node.address, deliver)

    def _collect(self, candidate: Candidate, endorsement: Endorsement) -> None:
        candidate.members[endorsement.signer] = endorsement
        if candidate not in self.candidates:
            return
        if len(candidate.members) < self.head.record.thresholds.strict:
            return
        signed = tuple(candidate.members.values())
        certified = CertifiedRecord(candidate.record, signed, candidate.admins)
        try:
            self.adopt(certified)
        except QuorateError:
            return

    def adopt(self, certified: CertifiedRecord) -> None:
        """Take in the next certified record, and spread it. Raises as succession.verify."""
        self.head = succession.verify(self.head, certified, self.scene.signatures)
        self.candidates = []
        self.chain.append(certified)
        self.scene.world.say("the API server has epoch {}", certified.record.number)
        self.spread(ROUNDS)

    # Spreading --------------------------------------------------------------------------------

    def spread(self, rounds: int) -> None:
        """Show the chain to everybody, some times over."""
        chain = tuple(self.chain)
        for node in self.nodes:
            if node.link.head.record.number < len(chain):
                self.show(node, chain)
        for asker in self.askers:
            if asker.epoch.record.number < len(chain):
                self.scene.network.send(self.name, asker.name, partial(asker.show, chain))
        if rounds > 1:
            self.scene.world.after(ROUND_SECONDS, partial(self.spread, rounds - 1))

    def show(self, node: Node, chain: tuple[CertifiedRecord, ...]) -> None:
        """Show ``chain`` to one member."""

        def deliver() -> None:
            if node.up:
                node.show(chain)

        self.scene.network.send(self.name, node.address, deliver)


class HostileApi(Api):
    """Equivocates, withholds, and makes things up."""

    def __init__(self, scene: Scene, nodes: Sequence[Node], askers: Sequence[Asker]) -> None:
        super().__init__(scene, nodes, askers)
        self._half = {node.address for node in nodes if scene.world.random.random() < 0.5}
        self._kept_from = {node.address for node in nodes if scene.world.random.random() < 0.3}

    def has_room(self, record: EpochRecord) -> bool:
        """Two at a time, and it does not care that they are of one number."""
        return len(self.candidates) < 2

    def is_shown(self, candidate: Candidate, node: Node) -> bool:
        """The first candidate to some, the second to the others; both to whoever signs both."""
        if node.strategy.endorses_anything():
            return True
        return (candidate is self.candidates[0]) == (node.address in self._half)

    def _collect(self, candidate: Candidate, endorsement: Endorsement) -> None:
        super()._collect(candidate, endorsement)
        self._make_up(candidate)

    def _make_up(self, candidate: Candidate) -> None:
        """Certificates that lack signatures, or count some twice, or borrow another record's."""
        signed = list(candidate.members.values())
        others = [one for other in self.candidates for one in other.members.values()]
        for members in (tuple(signed), tuple((signed * 8)[:8]), tuple((signed + others)[:13])):
            made_up = CertifiedRecord(candidate.record, members, candidate.admins)
            node = self.scene.world.random.choice(self.nodes)
            self.show(node, (made_up,))
            for asker in self.askers[:1]:
                self.scene.network.send(self.name, asker.name, partial(asker.show, (made_up,)))

    def show(self, node: Node, chain: tuple[CertifiedRecord, ...]) -> None:
        """Not to everybody."""
        if node.address not in self._kept_from:
            super().show(node, chain)
