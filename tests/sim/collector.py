"""The hostile collector: asks in an enforcement point's name, and certifies what was not approved.

It stands where an untrusted relay may stand. It sees every vote it can get hold of, and presents
certificates made of them: too few, the same twice, of other asks, of other tiers, turned, renamed.
"""

from collections.abc import Sequence
from functools import partial

from quorate.consensus import approval, wire
from quorate.consensus.thresholds import MEMBERS_MAX, Tier
from quorate.consensus.wire import Ask, Ballot, Verdict, Vote
from quorate.errors import QuorateError
from tests.sim import crafting
from tests.sim.asker import Asker
from tests.sim.node import Node
from tests.sim.scene import Scene

NAME = "collector"


class Collector:
    """One hostile collector against one enforcement point."""

    def __init__(self, scene: Scene, nodes: Sequence[Node], target: Asker) -> None:
        self._scene, self._nodes, self._target = scene, nodes, target
        self._pool: list[tuple[Vote, Ballot]] = []

    def attack(self, nonce: bytes) -> None:
        """Go for the ask of this nonce: ask the members the same and the like, then present."""
        ask = self._target.message(nonce)
        place = self._target.place(nonce)
        other = Tier.FAST if ask.tier is Tier.STRICT else Tier.STRICT
        for tier, nonce_used in ((ask.tier, ask.nonce), (other, ask.nonce), (ask.tier, bytes(16))):
            again = Ask(
                ask.version, tier, ask.epoch, nonce_used, ask.audience, ask.left_ms, ask.request
            )
            self._ask_all(wire.encode(again), place)
        for _ in range(3):
            self._scene.world.after(
                self._scene.world.random.random() * 0.3, partial(self._present, nonce)
            )

    def _ask_all(self, message: bytes, place: str) -> None:
        members = self._target.epoch.members
        for node in self._nodes:
            if node.name in members and node.up and self._scene.world.random.random() < 0.7:
                deliver = partial(node.ask, NAME, message, place, self._collect)
                self._scene.network.send(NAME, node.name, deliver)

    def _collect(self, data: bytes) -> None:
        try:
            answer = wire.decode_answer(data)
            if isinstance(answer, Vote):
                self._pool.append((answer, wire.decode(answer.ballot.body, Ballot)))
        except QuorateError:
            return

    def _present(self, nonce: bytes) -> None:
        if not self._pool:
            return
        random, needed = self._scene.world.random, self._target.needed(nonce)
        votes = [vote for vote, _ in self._pool]
        mine = [(vote, ballot) for vote, ballot in self._pool if ballot.nonce == nonce]
        on_it = [vote for vote, ballot in mine if ballot.verdict is Verdict.APPROVE]
        approvals = [vote for vote, ballot in self._pool if ballot.verdict is Verdict.APPROVE]
        attempts = [
            (on_it or votes)[:1] * needed,
            on_it[:MEMBERS_MAX],
            [vote for vote, _ in mine][:MEMBERS_MAX],
            (on_it + approvals)[:MEMBERS_MAX],
            (on_it + votes)[:MEMBERS_MAX],
            [crafting.turned(vote) for vote in votes[:MEMBERS_MAX]],
        ]
        attempt = random.choice(attempts)
        for votes in (on_it[: needed - 1], attempt):
            if votes:
                self._target.present(nonce, approval.certify(votes))
        self._target.present(nonce, random.randbytes(40))
