"""What all parts of one simulated world share."""

from collections.abc import Callable

from quorate.consensus.epoch import Epoch, EpochRecord
from quorate.consensus.epoch import encode as encode_record
from quorate.consensus.freeze import SignedOrder
from quorate.consensus.freeze import encode as encode_order
from quorate.consensus.signing import Signatures
from quorate.consensus.succession import CertifiedRecord
from tests.sim.history import Fact, FreezeKnown, History, Opened
from tests.sim.keys import Scheme
from tests.sim.network import Network
from tests.sim.plan import Plan
from tests.sim.requests import Register
from tests.sim.world import DAWN, World

Submit = Callable[[str, EpochRecord, bytes], None]
PassOn = Callable[[str, SignedOrder], None]


class Scene:
    """The world's parts, and the observer that writes the history. ``submit`` brings a proposed
    record to the API server, ``pass_on`` a freeze to the other members; both over the network."""

    submit: Submit
    pass_on: PassOn

    def __init__(
        self,
        plan: Plan,
        world: World,
        network: Network,
        scheme: Scheme,
        genesis: Epoch,
        history: History,
    ) -> None:
        self.plan, self.world, self.network, self.scheme = plan, world, network, scheme
        self.genesis, self.history = genesis, history
        self.signatures: Signatures = scheme.signatures
        self.register = Register(world)

    @property
    def now(self) -> float:
        """Virtual seconds since the beginning."""
        return self.world.now

    def note(self, fact: Fact) -> None:
        """Write down a fact."""
        self.history.facts.append(fact)

    def judge_seconds(self) -> float:
        """How long one judgement takes."""
        return self.world.random.random() * self.plan.judge_max

    def note_opened(self, who: str, certified: CertifiedRecord) -> None:
        """``who`` follows a record."""
        self.world.say("{} opens epoch {}", who, certified.record.number)
        self.note(
            Opened(
                self.now,
                who,
                encode_record(certified.record),
                tuple((one.signer, one.signature) for one in certified.members),
                tuple((one.signer, one.signature) for one in certified.admins),
            )
        )

    def note_freeze(self, who: str, signed: SignedOrder) -> None:
        """``who`` knows a freeze."""
        order = signed.order
        self.world.say("{} knows a freeze of {!r}", who, order.name or "everything")
        ends = (order.expires_at - DAWN).total_seconds()
        signers = tuple((one.signer, one.signature) for one in signed.endorsements)
        body = encode_order(order)
        self.note(FreezeKnown(self.now, who, order.order_id, order.name, ends, signers, body))
