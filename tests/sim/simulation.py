"""One run: a world made after its plan, what is done in it, and what was found wrong."""

from collections import Counter
from dataclasses import dataclass
from functools import partial

from quorate.consensus import epoch as epochs
from quorate.consensus.blank import SOMEBODY
from quorate.consensus.detector import Result
from quorate.consensus.epoch import Change, Epoch, EpochRecord
from quorate.consensus.freeze import ORDER_TAG, Order, Scope, SignedOrder
from quorate.consensus.freeze import encode as encode_order
from quorate.consensus.succession import CertifiedRecord, Endorsement
from quorate.consensus.thresholds import Tier
from tests.sim import checker, records
from tests.sim.api import Api, HostileApi
from tests.sim.asker import BUDGETS, Asker
from tests.sim.collector import Collector
from tests.sim.disk import Disk, Platter
from tests.sim.history import Acted, Began, History
from tests.sim.keys import Real, Scheme, Symbolic
from tests.sim.network import Network
from tests.sim.node import Node
from tests.sim.plan import Plan
from tests.sim.requests import PLACES, STRATA, Request
from tests.sim.scene import Scene
from tests.sim.world import Runaway, World
from tests.sim.zoo import ZOO

SETTLE_SECONDS = 2.5
"""After this long without anything new, and a healed network, all there is to find is found."""
LATE_SECONDS = 0.6
"""Votes that come this long after an ask's budget are still shown to watchers."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run."""

    plan: Plan
    violations: tuple[str, ...]
    facts: int
    asks: int
    acted: int
    epochs: int
    quarantined: tuple[str, ...]
    trace: tuple[str, ...]


def run(plan: Plan, *, verbose: bool = False, asker: type[Asker] = Asker) -> Outcome:
    """Run ``plan`` and check its history. ``asker``: the kind of the enforcement points."""
    return checked(Simulation(plan, verbose=verbose, asker=asker))


def checked(simulation: "Simulation") -> Outcome:
    """Run a world to its end and check its history."""
    scene = simulation.scene
    try:
        scene.world.run()
        violations = checker.check(scene.history)
    except Runaway as error:
        violations = [f"runaway: {error}"]
    kinds = Counter(type(fact) for fact in scene.history.facts)
    seats = simulation.api.head.record.seats
    return Outcome(
        simulation.plan,
        tuple(violations),
        facts=len(scene.history.facts),
        asks=kinds[Began],
        acted=kinds[Acted],
        epochs=len(simulation.api.chain),
        quarantined=tuple(seat.name for seat in seats if seat.quarantined),
        trace=tuple(scene.world.trace or ()),
    )


class Simulation:
    """The parts of one world, with everything that will be done already due."""

    def __init__(self, plan: Plan, *, verbose: bool = False, asker: type[Asker] = Asker) -> None:
        self.plan, self._asker_kind = plan, asker
        world = World(plan.seed, verbose=verbose)
        scheme: Scheme = Real() if plan.real_keys else Symbolic()
        genesis = epochs.open_epoch(records.genesis(plan.thresholds, plan.members, scheme))
        network = Network(world, plan.weather, plan.cuts)
        history = self._history(plan, scheme, genesis.record)
        self.scene = Scene(plan, world, network, scheme, genesis, history)
        self.scene.submit = self._submit
        self.scene.pass_on = self._pass_on
        self.nodes = self._everyone()
        self.askers = [self._asker(f"asker-{i}") for i in range(2)]
        self.prober = self._asker("canaries")
        everyone = [*self.askers, self.prober]
        self.api: Api = (HostileApi if plan.hostile_api else Api)(self.scene, self.nodes, everyone)
        self.watchers = world.random.sample(
            self.nodes[: plan.thresholds.n], min(plan.thresholds.n, plan.thresholds.r + 1)
        )
        self.collector = Collector(self.scene, self.nodes, self.askers[0])
        world.say("{}", plan)
        self._schedule()

    @staticmethod
    def _history(plan: Plan, scheme: Scheme, genesis: EpochRecord) -> History:
        kinds = {name: ZOO[kind] for name, kind in plan.strategies.items()}
        found = [name for name, kind in kinds.items() if kind.found_by == plan.canary_kind]
        disturbed = plan.proposals or plan.orders or plan.hostile_api or len(kinds) != 1
        searched = plan.calm and plan.canaries and not disturbed
        return History(
            genesis=epochs.encode(genesis),
            signed=scheme.signed,
            faulty=frozenset(n for n, kind in kinds.items() if kind.faulty and not plan.believed),
            unconvictable=frozenset(name for name, kind in kinds.items() if not kind.convictable),
            silent=frozenset(name for name, kind in kinds.items() if kind.silent),
            calm=plan.calm,
            must_find=found[0] if found and searched else "",
        )

    def _everyone(self) -> list[Node]:
        return [self._node(name) for name in self.plan.everyone]

    def _node(self, name: str, address: str = "") -> Node:
        kind = ZOO[self.plan.strategies.get(name, "honest")]
        platter = Platter(
            self.plan.sync_max, self.plan.sync_fails, kind.forgets, self.plan.capacity
        )
        return Node(self.scene, name, Disk(self.scene.world, platter), kind, address)

    def _asker(self, name: str) -> Asker:
        return self._asker_kind(self.scene, name, self.nodes, name.encode().ljust(32, b"\0"))

    def _submit(self, sender: str, record: EpochRecord, evidence: bytes) -> None:
        submit = partial(self.api.submit, record, evidence)
        self.scene.network.send(sender, self.api.name, submit)

    def _pass_on(self, sender: str, signed: SignedOrder) -> None:
        for node in self.nodes:
            if node.address != sender:
                self._order_to(sender, node, signed)
        # One enforcement point often hears of no freeze: then only the members hold it.
        deaf = self.scene.world.random.random() < 0.5
        for asker in (self.askers[0], self.prober, *(() if deaf else self.askers[1:])):
            self.scene.network.send(sender, asker.name, partial(asker.order, signed))

    def _order_to(self, sender: str, node: Node, signed: SignedOrder) -> None:
        def deliver() -> None:
            if node.up:
                node.order(signed)

        self.scene.network.send(sender, node.address, deliver)

    # What is done -----------------------------------------------------------------------------

    def _schedule(self) -> None:
        plan, world = self.plan, self.scene.world
        for number in range(plan.asks):
            world.at(world.random.random() * plan.span, partial(self._ask, number))
        for turn in range(plan.canaries):
            world.at(0.05 + turn * plan.span / (plan.canaries + 1), partial(self._probe, turn))
        for when, name in plan.crashes:
            world.at(when, self.nodes[plan.members.index(name)].crash)
        for when, name in plan.drains:
            world.at(when, self.nodes[plan.members.index(name)].drain)
        for when, name, seconds in plan.jumps:
            jump = self.nodes[plan.members.index(name)].jump
            world.at(when, partial(jump, seconds))
        moment = world.random.random() * plan.span
        for number, kind in enumerate(plan.proposals):
            # Whom to readmit is known late, and so is that a quorum is lost.
            late = kind in ("readmit", "recover")
            when = plan.span + 1.8 if late else moment + number * 0.01
            world.at(when, partial(self._propose, number, kind))
        for _ in range(plan.orders):
            world.at(world.random.random() * plan.span, self._freeze)
        world.at(plan.span + SETTLE_SECONDS, self.scene.network.heal)
        world.at(plan.span + SETTLE_SECONDS, partial(self.api.spread, 2))

    def _ask(self, number: int) -> None:
        random = self.scene.world.random
        request = self.scene.register.add(
            Request(
                number=number // 2,
                truth=random.choice(self.plan.truths),
                stratum=random.choice(STRATA),
                trigger=random.random() < 0.2,
                wavers=random.random() < 0.5,
            )
        )
        tier = random.choice(self.plan.tiers)
        veto = random.random() < 0.05
        askers = self.askers if random.random() < self.plan.shared else [random.choice(self.askers)]
        for asker in askers:
            nonce = asker.begin(request, tier, PLACES[number % 2], veto=veto)
            if nonce is None:
                continue
            later = BUDGETS[tier] + LATE_SECONDS
            self.scene.world.after(later, partial(self._show_votes, asker, nonce))
            if self.plan.hostile_collector and asker is self.askers[0]:
                self.collector.attack(nonce)

    def _show_votes(self, asker: Asker, nonce: bytes) -> None:
        votes = asker.votes_on(nonce)
        for node in self.watchers:
            if votes:
                see = partial(self._see, node, votes)
                self.scene.network.send(asker.name, node.address, see)

    @staticmethod
    def _see(node: Node, votes: tuple[object, ...]) -> None:
        if node.up:
            node.watcher.saw(votes)  # type: ignore[arg-type]

    def _probe(self, turn: int) -> None:
        index = self._canary(turn)
        shown = records.revealed(index)
        request = self.scene.register.add(records.canary_request(index))
        subject = shown.canary.subject(request.data)
        nonce = self.prober.begin(
            request,
            subject.tier,
            PLACES[0],
            nonce=subject.nonce,
            audience=subject.audience,
            acts=False,
        )
        if nonce is not None:
            # The same for both tiers: results count in the order of their numbers.
            later = BUDGETS[Tier.STRICT] + LATE_SECONDS
            self.scene.world.after(later, partial(self._reveal, index, nonce))

    def _canary(self, turn: int) -> int:
        return turn + (records.OF_EACH_KIND if self.plan.canary_kind == "safe" else 0)

    def _reveal(self, index: int, nonce: bytes) -> None:
        result = Result(records.revealed(index), SOMEBODY, self.prober.votes_on(nonce))
        for node in self.watchers:
            count = partial(self._count, node, result)
            self.scene.network.send(self.prober.name, node.address, count)

    @staticmethod
    def _count(node: Node, result: Result) -> None:
        if node.up:
            node.watcher.counted(result)

    # Administrators ---------------------------------------------------------------------------

    def _propose(self, number: int, kind: str) -> None:
        """Administrators sign a change, sometimes one too few. Two at once are two candidates."""
        if kind == "recover":
            self._recover()
            return
        make, random = records.CHANGES[kind], self.scene.world.random
        record = make(self.api.head, self.scene.scheme, number, random)
        if record is None:
            return
        self.scene.world.say("administrators propose {}", record.reason)
        signers = 1 if random.random() < 0.2 else records.ADMINS_NEEDED
        admins = records.admins_of(self.scene.scheme)[:signers]
        submit = partial(self.api.submit, record, b"", records.signed_by(record, admins))
        self.scene.network.send("admin", self.api.name, submit)

    def _recover(self) -> None:
        """Administrators move the chain on without the members' signatures. Not while a candidate
        is on its way, and not past an API server that lies: a record that it holds back would make
        a second chain, and nobody could tell."""
        if not self.api.candidates and not self.plan.hostile_api:
            self.api.adopt(self._recovery(self.api.head))
        elif self.plan.reckless:
            # From what the server shows, which is nothing, and straight to the members.
            recovered = self._recovery(self.scene.genesis)
            for node in self.nodes:
                self.scene.network.send("admin", node.address, partial(node.show, (recovered,)))

    def _recovery(self, head: Epoch) -> CertifiedRecord:
        record = records.following(head, Change.RECOVERY, "no quorum")
        admins = records.admins_of(self.scene.scheme)[: records.ADMINS_NEEDED]
        self.scene.world.say("administrators recover")
        return CertifiedRecord(record, (), records.signed_by(record, admins))

    def _freeze(self) -> None:
        """A freeze: by an administrator, by members, or by fewer than it takes."""
        random, world = self.scene.world.random, self.scene.world
        place = random.choice(("", *PLACES))
        order = Order(
            cluster_id=records.CLUSTER,
            scope=Scope.NAMESPACE if place else Scope.CLUSTER,
            name=place,
            reason="drill",
            issued_at=world.wall(0.0),
            expires_at=world.wall(random.choice((0.3, 1.0, 3600.0))),
        )
        body, scheme = ORDER_TAG + encode_order(order), self.scene.scheme
        count = random.choice((0, self.plan.thresholds.r, self.plan.thresholds.r + 1))
        if count:
            names = random.sample(self.plan.members, min(count, len(self.plan.members)))
            keys = [(name, scheme.identity(name)) for name in names]
        else:
            admin = records.admins_of(scheme)[0]
            keys = [(admin.text, admin)]
        signed = SignedOrder(order, tuple(Endorsement(who, key.sign(body)) for who, key in keys))
        self._pass_on("admin", signed)
        if random.random() < 0.5:
            world.after(0.5, partial(self._release, order))

    def _release(self, order: Order) -> None:
        head = self.api.head
        released = (*head.record.released, order.order_id)
        record = records.following(head, Change.RELEASE, "drill is over", released=released)
        admins = records.admins_of(self.scene.scheme)[: records.ADMINS_NEEDED]
        submit = partial(self.api.submit, record, b"", records.signed_by(record, admins))
        self.scene.network.send("admin", self.api.name, submit)
