"""An action gate over a committee in this process, and what a test turns about it."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from quorate.audit.records import Action, Body, HoldDecided
from quorate.consensus import freeze
from quorate.consensus import history as histories
from quorate.consensus.epoch import Epoch
from quorate.consensus.freeze import Order, Scope, SignedOrder
from quorate.consensus.history import History
from quorate.consensus.succession import Endorsement
from quorate.errors import Unavailable
from quorate.keys import LocalSigner
from quorate.policy.runtime import RuntimeRules
from quorate.ports import Clock
from quorate.signed_state import PodState
from quorate_io.asking import Channel
from quorate_io.clock import SystemClock
from quorate_io.member_api import FreezesAnswer
from quorate_sidecar.actions.committee import Committee
from quorate_sidecar.actions.freezes import FreezeKeeper
from quorate_sidecar.actions.gate import ActionGate
from quorate_sidecar.actions.held import HoldTable
from quorate_sidecar.metrics import Metrics
from quorate_sidecar.settings import PodFacts
from quorate_sidecar.standing import Standing
from tests.fakes.committee import FakeCommittee, FakeMember
from tests.fakes.vouching import signer

AUDIENCE = b"a" * 32
POD = PodFacts("chat-0", "team-a", "uid-0", "demo", ("127.0.0.2",))
MANIFEST = "sha256:" + "5" * 64
POLICY = "sha256:" + "7" * 64
RULES = RuntimeRules(8000, ("/health",), None, 1_000_000, 1_000_000, 60_000, ())


@dataclass
class FakeChannel:
    """To a member that may be slow or down."""

    member: FakeMember
    seconds: float = 0.0
    down: bool = False
    asked: int = 0

    async def exchange(self, message: bytes) -> bytes:
        self.asked += 1
        if self.down:
            raise Unavailable("down")
        if self.seconds:
            await asyncio.sleep(self.seconds)
        return self.member.answer(message)


class FakeMembers:
    """A committee as a sidecar's client gives it."""

    def __init__(self, committee: FakeCommittee) -> None:
        self.committee = committee
        self.found = histories.begin(committee.epoch)
        self.told: History | None = None
        """What members answer if they are asked for newer epochs."""
        self.lines = {member.name: FakeChannel(member) for member in committee.members}
        self.orders: list[SignedOrder] = []
        self.asked_newer = 0

    async def history(self, *, newer: bool = False) -> History:
        self.asked_newer += newer
        if newer and self.told is not None:
            self.found = self.told
        return self.found

    def channels(self, epoch: Epoch) -> Mapping[str, Channel]:
        return self.lines

    def names(self) -> Collection[str]:
        return self.lines.keys()

    async def freezes(self, name: str, cursor: str) -> FreezesAnswer:
        await asyncio.sleep(0.01)
        return FreezesAnswer(cursor=f"{len(self.orders)}", more=False, orders=tuple(self.orders))


def frozen(
    who: LocalSigner, scope: Scope, name: str = "", *, cluster: str = "c", life: float = 600.0
) -> SignedOrder:
    """A freeze that one administrator signed just now."""
    now = datetime.now(UTC).replace(microsecond=0)
    order = Order(cluster, scope, name, "drill", now, now + timedelta(seconds=life))
    signature = who.sign(freeze.ORDER_TAG + freeze.encode(order))
    return SignedOrder(order, (Endorsement(who.public_key.pem, signature),))


@dataclass
class Acting:
    """A gate, and everything around it that a test looks at or turns."""

    members: FakeMembers
    standing: Standing
    committee: Committee
    freezes: FreezeKeeper
    holds: HoldTable
    gate: ActionGate
    registry: CollectorRegistry
    records: list[Body] = field(default_factory=list)

    @property
    def actions(self) -> list[Action]:
        """The decisions that were written down."""
        return [body for body in self.records if isinstance(body, Action)]

    @property
    def decisions(self) -> list[HoldDecided]:
        """What people decided, as it was written down."""
        return [body for body in self.records if isinstance(body, HoldDecided)]

    @property
    def asked(self) -> int:
        """Asks that reached members, all together."""
        return sum(line.asked for line in self.members.lines.values())


ADMIN = signer()


async def acting(
    committee: FakeCommittee | None = None, clock: Clock | None = None, **rules: Any
) -> Acting:
    """A gate whose pod may serve, under a policy with ``rules``. Needs a running event loop."""
    clock = clock or SystemClock()
    members = FakeMembers(committee or FakeCommittee(admins=[ADMIN]))
    now = clock.now()
    policy = msgspec.structs.replace(RULES, **rules)
    state = PodState(policy, MANIFEST, (POLICY,), now, now + timedelta(minutes=10))
    standing = Standing(clock, state=state, measured=MANIFEST, port=policy.port)
    standing.receipt_until = float("inf")
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    asks = Committee(members, AUDIENCE, metrics)
    await asks.look()
    keeper = FreezeKeeper(
        members,
        lambda: asks.epoch,
        clock,
        lambda: asks.freeze(lambda target: keeper.covering(target) is not None),
    )
    holds = HoldTable(clock)
    records: list[Body] = []
    gate = ActionGate(POD, standing, asks, keeper, holds, records.append, metrics)
    return Acting(members, standing, asks, keeper, holds, gate, registry, records)
