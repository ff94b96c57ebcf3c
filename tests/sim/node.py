"""A member in the simulated world: the real machines, over a disk and a network that fail."""

from collections.abc import Callable, Sequence
from functools import partial

from quorate.consensus import chain, freeze, member, quarantine, wire
from quorate.consensus.chain import Link
from quorate.consensus.epoch import RECORD_TAG, Change, Epoch, EpochRecord
from quorate.consensus.epoch import encode as encode_record
from quorate.consensus.freeze import Freezes, SignedOrder
from quorate.consensus.member import Member
from quorate.consensus.signing import DELEGATION_TAG
from quorate.consensus.succession import CertifiedRecord, Endorsement
from quorate.consensus.wire import Delegation, Signed
from quorate.errors import QuorateError
from tests.sim.disk import Disk
from tests.sim.history import Endorsed, Started, Voted
from tests.sim.keys import VoteKey, key_names
from tests.sim.requests import OUT_OF_TIME, TARGETS
from tests.sim.scene import Scene
from tests.sim.store import Choice, Life, Store
from tests.sim.strategy import Strategy
from tests.sim.watching import Watcher

JUDGES = bytes(32)
RESTART_SECONDS = 0.3
Answer = Callable[[bytes], None]
Endorse = Callable[[Endorsement], None]


class Node:
    """One member. ``up`` is whether its process runs; ``skew`` is how far its clock is ahead, and
    ``peak`` the latest it showed before it jumped. ``address`` is where the network finds it: its
    name, unless it is a second copy."""

    def __init__(
        self, scene: Scene, name: str, disk: Disk, kind: type[Strategy], address: str = ""
    ) -> None:
        self.scene, self.name, self.disk = scene, name, disk
        self.address = address or name
        self.strategy = kind(self)
        self.identities = [scene.scheme.identity(key) for key in key_names(name)]
        self.identity = self.identities[0]
        self.store = Store(disk, forgets_approvals=scene.plan.forgets_approvals)
        self.up, self.skew, self.peak, self.life = False, 0.0, 0.0, 0
        self.incarnation = 0
        self.signer: VoteKey = scene.scheme.vote_key(name)
        self.start()

    # Life -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start, again perhaps: a new incarnation and a new vote key, and what the log holds."""
        self.up = True
        self.life += 1
        self.store.reopen()
        if self.incarnation == 0 or not self.strategy.forgets:
            self.incarnation = self.store.last_life() + 1
            self.disk.write_through(Life(self.incarnation))
        self.signer = self.scene.scheme.vote_key(f"{self.name}/{self.incarnation}")
        self._replies: dict[int, tuple[Answer, str, str]] = {}
        self._offers: dict[int, tuple[EpochRecord, Endorse]] = {}
        self._count = 0
        self.scene.note(Started(self.scene.now, self.address))
        self.scene.world.say("{} starts as incarnation {}", self.address, self.incarnation)
        head = self._reopen_chain()
        self.member = Member(self.name, head, self.incarnation, self._delegate(head), JUDGES)
        self.watcher = Watcher(self.scene, self.address, head)
        freezes = Freezes()
        for order in self.store.orders():
            freezes = self._with(freezes, order)
        self._feed(member.FreezesKnown(freezes))

    def _reopen_chain(self) -> Epoch:
        self.link = Link(self.name, self.scene.genesis)
        for certified in self.store.records():
            event = chain.Certified(certified)
            self.link, effects = chain.step(self.link, event, self.identity, self.scene.signatures)
            if effects:
                self.scene.note_opened(self.address, certified)
        head = self.link.head
        self._take_seat(head)
        chosen = self.store.choice_for(head.record.number + 1)
        self.link = Link(self.name, head, chosen)
        return head

    def crash(self, seconds: float = RESTART_SECONDS) -> None:
        """Lose everything in memory, and come back after ``seconds``."""
        if not self.up:
            return
        self.scene.world.say("{} crashes", self.address)
        self.up = False
        self.life += 1
        self.disk.crash()
        self.scene.world.after(seconds, self.start)

    def jump(self, seconds: float) -> None:
        """Its wall clock jumps. The monotonic one never does."""
        self.peak = max(self.peak, self.scene.now + self.skew)
        self.skew += seconds
        self.scene.world.say("the clock of {} jumps by {} s", self.name, seconds)

    def drain(self) -> None:
        """Finish, and start again a little later: what a rolling upgrade does."""
        if self.up:
            self._feed(member.Drain())
            self.scene.world.after(0.4, partial(self.crash, 0.1))

    def _delegate(self, epoch: Epoch) -> Signed:
        delegation = Delegation(
            wire.VERSION, self.name, self.incarnation, self.signer.public, epoch.digest
        )
        body = wire.encode(delegation)
        return Signed(body, self.identity.sign(DELEGATION_TAG + body))

    # Votes ------------------------------------------------------------------------------------

    def ask(self, asker: str, data: bytes, place: str, answer: Answer) -> None:
        """An ask arrives. ``answer`` is called with bytes, later or never."""
        if self.strategy.answer(asker, data, place, answer):
            return
        self._count += 1
        self._replies[self._count] = (answer, asker, place)
        now = self.scene.world.wall(self.skew)
        self._feed(member.Asked(self._count, data, TARGETS[place], now))

    def _feed(self, event: member.Event) -> None:
        if not self.up:
            return
        self.member, effects = member.step(self.member, event, self.store, self.signer)
        for effect in effects:
            match effect:
                case member.Judge():
                    self._judge(effect)
                case member.Persist():
                    done = partial(self._persisted, self.life, effect.sequence)
                    self.store.persist(effect, done)
                case member.Reply(reply, data):
                    self._reply(reply, data)

    def _judge(self, effect: member.Judge) -> None:
        request = self.scene.register.find(effect.request)
        honest = self.scene.register.judgement(self.name, request)
        judgement = self.strategy.judge(request, honest)
        seconds = self.strategy.judging(self.scene.judge_seconds())
        if seconds > effect.left_ms / 1000:
            seconds, judgement = effect.left_ms / 1000, OUT_OF_TIME
        event = member.Judged(effect.epoch, effect.key, judgement)
        self.scene.world.after(seconds, partial(self._later, self.life, event))

    def _later(self, life: int, event: member.Event) -> None:
        if life == self.life:
            self._feed(event)

    def _persisted(self, life: int, sequence: int, ok: bool) -> None:
        if life != self.life:
            return
        self._feed(member.Persisted(sequence) if ok else member.PersistFailed())
        if not ok:
            self.scene.world.after(0.0, self.crash)

    def _reply(self, reply: int, data: bytes) -> None:
        answer, asker, place = self._replies.pop(reply)
        self.say(asker, place, data, answer, self.strategy.patience())

    def say(
        self, asker: str, place: str, data: bytes, answer: Answer, seconds: float = 0.0
    ) -> None:
        """Answer with ``data``, ``seconds`` after it is noted."""
        if data[1:6] == b"\xa4vote":
            now, wall = self.scene.now, self.scene.now + max(self.skew, self.peak - self.scene.now)
            self.scene.note(Voted(now, self.name, asker, data, place, wall))
        if seconds:
            self.scene.world.after(seconds, partial(answer, data))
        else:
            answer(data)

    # The chain --------------------------------------------------------------------------------

    def offer(self, record: EpochRecord, evidence: bytes, answer: Endorse) -> None:
        """Somebody asks for a signature of ``record``."""
        if self.strategy.endorses_anything():
            body = encode_record(record)
            answer(Endorsement(self.name, self.identity.sign(RECORD_TAG + body)))
            return
        self._count += 1
        self._offers[self._count] = (record, answer)
        doubt = self._doubt(record, evidence)
        self._feed_chain(chain.Proposed(self._count, record, doubt))

    def _doubt(self, record: EpochRecord, evidence: bytes) -> QuorateError | None:
        if record.change is not Change.QUARANTINE:
            return None
        try:
            quarantine.check(record, self.link.head, evidence, self.scene.signatures)
        except QuorateError as error:
            return error
        return None

    def show(self, records: Sequence[CertifiedRecord]) -> None:
        """Somebody shows certified records."""
        for certified in records:
            self._feed_chain(chain.Certified(certified))

    def _feed_chain(self, event: chain.Event) -> None:
        self.link, effects = chain.step(self.link, event, self.identity, self.scene.signatures)
        for effect in effects:
            match effect:
                case chain.Keep(number, digest):
                    done = partial(self._chosen, self.life, digest)
                    self.disk.append(Choice(number, digest), done)
                case chain.Endorsed(reply, endorsement):
                    self._endorse(reply, endorsement)
                case chain.Declined(reply, error):
                    self.scene.world.say("{} declines: {}", self.address, error)
                    self._offers.pop(reply)
                case chain.Opened(epoch, certified):
                    self._opened(epoch, certified)
                case chain.Ignored(error):
                    self.scene.world.say("{} ignores a record: {}", self.address, error)

    def _chosen(self, life: int, digest: str, ok: bool) -> None:
        if life != self.life:
            return
        self._feed_chain(chain.ChoiceKept(digest) if ok else chain.KeepFailed())
        if not ok:
            self.scene.world.after(0.0, self.crash)

    def _endorse(self, reply: int, endorsement: Endorsement) -> None:
        record, answer = self._offers.pop(reply)
        body = encode_record(record)
        self.scene.note(Endorsed(self.scene.now, self.name, body, endorsement.signature))
        self.scene.world.say("{} signs epoch {}", self.address, record.number)
        answer(endorsement)

    def _opened(self, epoch: Epoch, certified: CertifiedRecord) -> None:
        self.disk.append(certified, lambda ok: None)
        self.scene.note_opened(self.address, certified)
        self._take_seat(epoch)
        self._feed(member.EpochOpened(epoch, self._delegate(epoch)))
        self.watcher = Watcher(self.scene, self.address, epoch)

    def _take_seat(self, epoch: Epoch) -> None:
        """Use the identity key that the record names, from the moment it is in force."""
        seat = epoch.seat(self.name)
        for identity in self.identities:
            if seat is not None and identity.text == seat.key:
                self.identity = identity

    # Freezes ----------------------------------------------------------------------------------

    def order(self, signed: SignedOrder) -> None:
        """A freeze arrives, from anybody; passed on if it was not known."""
        known = self.member.freezes
        freezes = self._with(known, signed)
        if freezes is known:
            return
        self.disk.append(signed, lambda ok: None)
        self._feed(member.FreezesKnown(freezes))
        self.scene.pass_on(self.address, signed)

    def _with(self, freezes: Freezes, signed: SignedOrder) -> Freezes:
        head = self.link.head
        after = freeze.merge(freezes, (signed,), head, self.scene.signatures)
        if len(after.orders) > len(freezes.orders):
            self.scene.note_freeze(self.address, signed)
        return after
