"""An honest enforcement point: asks, ends in time, verifies, and only then acts."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from quorate.consensus import approval, ask, freeze, succession
from quorate.consensus.approval import Subject
from quorate.consensus.ask import Asking, Outcome
from quorate.consensus.epoch import Epoch
from quorate.consensus.freeze import Freezes, SignedOrder
from quorate.consensus.succession import CertifiedRecord
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Ask, Vote
from quorate.errors import QuorateError
from tests.sim.history import Acted, Began, Ended, Heard
from tests.sim.node import Node
from tests.sim.requests import TARGETS, Request
from tests.sim.scene import Scene

BUDGETS = {Tier.FAST: 0.2, Tier.STRICT: 1.0}
REFUSED_SECONDS = 0.001
"""Until a closed port says so."""
Collected = Callable[[tuple[Vote, ...]], None]


@dataclass(slots=True)
class Open:
    """An ask that may still be acted on, and everything heard about it."""

    asking: Asking
    request: Request
    place: str
    veto: bool
    votes: list[Vote]
    acts: bool
    retried: bool
    acted: bool = False


class Asker:
    """One enforcement point, with its own view of the chain and of freezes."""

    def __init__(self, scene: Scene, name: str, nodes: Sequence[Node], audience: bytes) -> None:
        self.scene, self.name, self.audience = scene, name, audience
        self._copies: dict[str, list[Node]] = defaultdict(list)
        for node in nodes:
            self._copies[node.name].append(node)
        self.epoch: Epoch = scene.genesis
        self.freezes = Freezes()
        self._open: dict[bytes, Open] = {}

    def begin(
        self,
        request: Request,
        tier: Tier,
        place: str,
        *,
        veto: bool = False,
        nonce: bytes | None = None,
        audience: bytes | None = None,
        acts: bool = True,
        retried: bool = False,
        budget: float | None = None,
    ) -> bytes | None:
        """Ask all members. The nonce, unless a freeze forbids to ask. ``acts`` is whether anything
        comes of an approval: nothing does of a canary's."""
        scene = self.scene
        if self._is_frozen(place):
            return None
        nonce = nonce or scene.world.random.randbytes(16)
        budget = budget or BUDGETS[tier]
        asking, effects = ask.begin(
            self.epoch,
            tier,
            request.data,
            nonce=nonce,
            audience=audience or self.audience,
            now=scene.now,
            budget=budget,
            veto=veto,
        )
        self._open[nonce] = Open(asking, request, place, veto, [], acts, retried)
        if acts:
            self._note_begin(asking, request, place, budget, veto)
        scene.world.say("{} asks {} about {}", self.name, tier, request)
        self._carry_out(nonce, effects)
        scene.world.at(asking.deadline, partial(self._feed, nonce, ask.Ticked()))
        return nonce

    def _note_begin(
        self, asking: Asking, request: Request, place: str, budget: float, veto: bool
    ) -> None:
        message = asking.ask
        self.scene.note(
            Began(
                self.scene.now,
                self.name,
                message.nonce,
                message.tier.value,
                message.request,
                message.audience,
                message.epoch,
                budget,
                veto,
                request.truth.value,
                place,
            )
        )

    def _is_frozen(self, place: str) -> bool:
        wall = self.scene.world.wall(0.0)
        return self.freezes.covering(TARGETS[place], self.epoch, wall) is not None

    # Answers ----------------------------------------------------------------------------------

    def _carry_out(self, nonce: bytes, effects: Sequence[ask.Effect]) -> None:
        for effect in effects:
            match effect:
                case ask.Broadcast(members, message):
                    for member in members:
                        for node in self._copies[member]:
                            self._send(nonce, node, message)
                case ask.Finished(outcome):
                    self._finish(nonce, outcome)
                case ask.Heard(vote, _):
                    self._open[nonce].votes.append(vote)
                case ask.Refused(member, error):
                    self.scene.world.say("{} gets no vote of {}: {}", self.name, member, error)

    def _send(self, nonce: bytes, node: Node, message: bytes) -> None:
        place = self._open[nonce].place

        def answer(data: bytes) -> None:
            event = ask.Answered(node.name, data)
            self.scene.network.send(node.address, self.name, partial(self._feed, nonce, event))

        def deliver() -> None:
            if node.up:
                node.ask(self.name, message, place, answer)
            else:
                refused = partial(self._feed, nonce, ask.Unreachable(node.name))
                self.scene.world.after(REFUSED_SECONDS, refused)

        self.scene.network.send(self.name, node.address, deliver)

    def _feed(self, nonce: bytes, event: ask.Event) -> None:
        one = self._open[nonce]
        now = self.scene.now
        counts = one.acts and one.asking.outcome is None and now < one.asking.deadline
        if isinstance(event, ask.Answered) and counts:
            self.scene.note(Heard(now, self.name, nonce, event.member, event.data))
        one.asking, effects = ask.step(one.asking, event, now, self.scene.signatures)
        self._carry_out(nonce, effects)

    # Outcomes ---------------------------------------------------------------------------------

    def _finish(self, nonce: bytes, outcome: Outcome) -> None:
        one = self._open[nonce]
        if not one.acts:
            return
        self.scene.world.say("{} ends in {}: {}", self.name, outcome.decision, outcome.cause)
        self.scene.note(
            Ended(self.scene.now, self.name, nonce, outcome.decision.name.title(), outcome.cause)
        )
        if outcome.certificate is not None:
            self.present(nonce, outcome.certificate)
        elif outcome.cause is ask.Cause.EPOCH_SUPERSEDED and not one.retried:
            left = one.asking.deadline - self.scene.now
            if left > 0.01:
                self.begin(
                    one.request, one.asking.subject.tier, one.place, retried=True, budget=left
                )

    def present(self, nonce: bytes, certificate: bytes) -> bool:
        """Act on ``certificate`` if it verifies for an ask of this point that did not end otherwise
        and was not acted on. Anybody may present anything; what a certificate leaves out, a hard
        denial, counts if this point has heard it."""
        one = self._open.get(nonce)
        if one is None or not one.acts or one.acted or self.scene.now >= one.asking.deadline:
            return False
        if one.asking.outcome is not None and one.asking.outcome.certificate is None:
            return False
        subject: Subject = one.asking.subject
        if one.asking.hard and subject.tier is Tier.STRICT:
            return False
        try:
            approval.verify(certificate, self.epoch, subject, self.scene.signatures, veto=one.veto)
        except QuorateError as error:
            self.scene.world.say("{} refuses a certificate: {}", self.name, error)
            return False
        one.acted = True
        self.scene.note(Acted(self.scene.now, self.name, nonce, certificate))
        return True

    def message(self, nonce: bytes) -> Ask:
        """What was broadcast."""
        return self._open[nonce].asking.ask

    def place(self, nonce: bytes) -> str:
        """The namespace it is about."""
        return self._open[nonce].place

    def needed(self, nonce: bytes) -> int:
        """Approvals it takes."""
        return self._open[nonce].asking.needed

    def votes_on(self, nonce: bytes) -> tuple[Vote, ...]:
        """All genuine votes heard about an ask so far, late ones too."""
        return tuple(self._open[nonce].votes)

    # What others tell it ----------------------------------------------------------------------

    def show(self, records: Sequence[CertifiedRecord]) -> None:
        """Somebody shows certified records."""
        for certified in records:
            if certified.record.number <= self.epoch.record.number:
                continue
            try:
                self.epoch = succession.verify(self.epoch, certified, self.scene.signatures)
            except QuorateError as error:
                self.scene.world.say("{} ignores a record: {}", self.name, error)
                continue
            self.scene.note_opened(self.name, certified)
            for nonce in list(self._open):
                self._feed(nonce, ask.Superseded())

    def order(self, signed: SignedOrder) -> None:
        """A freeze arrives."""
        after = freeze.merge(self.freezes, (signed,), self.epoch, self.scene.signatures)
        if len(after.orders) == len(self.freezes.orders):
            return
        self.freezes = after
        self.scene.note_freeze(self.name, signed)
        for nonce, one in list(self._open.items()):
            if self._is_frozen(one.place):
                self._feed(nonce, ask.Frozen())
