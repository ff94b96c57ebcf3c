"""One member under any sequence of asks, judgements, disk events, crashes, epochs and freezes."""

from datetime import timedelta
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from quorate.consensus import member as members
from quorate.consensus import wire
from quorate.consensus.epoch import Change
from quorate.consensus.freeze import Freezes, Order, Scope, SignedOrder, Target
from quorate.consensus.member import (
    Asked,
    Drain,
    Effect,
    EpochOpened,
    FreezesKnown,
    Judge,
    Judged,
    Judgement,
    Member,
    PersistFailed,
    Reply,
)
from quorate.consensus.succession import Endorsement
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Abstention, Ask, Ballot, Verdict
from tests.fakes.ballots import CLUSTER, JUDGES, Committee, digest
from tests.fakes.member_store import NOW, Host
from tests.property.consensus.behaviours import Digest

ASKS_MAX, WAITING_MAX = 6, 3
COMMITTEE = Committee()
EPOCHS = [COMMITTEE.epoch]
DELEGATIONS = [COMMITTEE.delegation("m0")]
for char in "12345":
    EPOCHS.append(COMMITTEE.open(COMMITTEE.next_record(Change.POLICIES, policies=digest(char))))
    DELEGATIONS.append(COMMITTEE.delegation("m0"))
ORDER = Order(CLUSTER, Scope.TENANT, "team-a", "drill", NOW, NOW + timedelta(hours=1))
FROZEN = Freezes({ORDER.order_id: SignedOrder(ORDER, (Endorsement("x", b"x"),))})
requests = st.sampled_from([b"one", b"two", b"three"])
tiers = st.sampled_from(list(Tier))
judgements = st.builds(Judgement, st.sampled_from(list(Verdict)), st.integers(0, wire.SCORE_MAX))


class MemberMachine(RuleBasedStateMachine):
    """A member, its disk, and somebody who remembers everything it ever said."""

    def __init__(self) -> None:
        super().__init__()
        self.bounds = mock.patch.multiple(members, ASKS_MAX=ASKS_MAX, WAITING_MAX=WAITING_MAX)
        self.bounds.start()
        self.number = 0
        self.host = Host(Member("m0", EPOCHS[0], 1, DELEGATIONS[0], JUDGES), Digest())
        self.replies = 0
        self.open: dict[int, Ask] = {}
        self.judging: list[Judge] = []
        self.denied: set[tuple[bytes, bytes, Tier]] = set()
        self.places: set[tuple[int, int]] = set()

    def teardown(self) -> None:
        """What is under way is answered in the end, each ask once."""
        while self.judging:
            self.judge(0, Judgement(Verdict.DENY, 0))
        self.heard(self.host.sync())
        assert self.open == {}
        self.bounds.stop()

    def heard(self, effects: list[Effect]) -> None:
        """Check what comes out, and remember it."""
        for effect in effects:
            if isinstance(effect, Judge):
                self.judging.append(effect)
            if not isinstance(effect, Reply):
                continue
            ask = self.open.pop(effect.reply)
            answer = wire.decode_answer(effect.data)
            if not isinstance(answer, Abstention):
                self.voted(wire.decode(answer.ballot.body, Ballot), ask)

    def voted(self, ballot: Ballot, ask: Ask) -> None:
        """A vote left: about its ask, kept before, at a place of its own, and never looser."""
        assert (ballot.nonce, ballot.audience, ballot.tier) == (ask.nonce, ask.audience, ask.tier)
        assert ballot.request == wire.request_digest(ask.request)
        assert ballot.epoch == ask.epoch == self.host.member.epoch.digest
        confirmed = [
            wire.decode(one.vote.ballot.body, Ballot) for one in self.host.handed[: self.host.safe]
        ]
        assert ballot in confirmed
        place = (ballot.incarnation, ballot.sequence)
        assert place not in self.places
        self.places.add(place)
        key = (ballot.epoch, ballot.request, ballot.tier)
        assert ballot.verdict is Verdict.DENY or key not in self.denied
        if ballot.verdict is Verdict.DENY:
            self.denied.add(key)

    @rule(request=requests, tier=tiers, stale=st.booleans(), tenant=st.sampled_from("ab"))
    def ask(self, request: bytes, tier: Tier, stale: bool, tenant: str) -> None:
        """Somebody asks, perhaps under an epoch that is over."""
        self.replies += 1
        number = max(0, self.number - 1) if stale else self.number
        nonce = self.replies.to_bytes(16, "big")
        ask = Ask(1, tier, EPOCHS[number].digest, nonce, nonce * 2, 500, request)
        self.open[self.replies] = ask
        target = Target({Scope.TENANT: f"team-{tenant}"})
        self.heard(self.host.feed(Asked(self.replies, wire.encode(ask), target, NOW)))

    @rule(data=st.binary(max_size=40))
    def babble(self, data: bytes) -> None:
        """Somebody sends no ask."""
        self.replies += 1
        self.open[self.replies] = Ask(1, Tier.FAST, b"", b"", b"", 0, data)
        self.heard(self.host.feed(Asked(self.replies, data, Target({}), NOW)))

    @precondition(lambda self: self.judging)
    @rule(pick=st.integers(0, 20), judgement=judgements)
    def judge(self, pick: int, judgement: Judgement) -> None:
        """The judges answer; in any order, also after nobody waits for it any more."""
        judge = self.judging.pop(pick % len(self.judging))
        self.heard(self.host.feed(Judged(judge.epoch, judge.key, judgement)))

    @precondition(lambda self: self.host.member.unsent)
    @rule(pick=st.integers(0, 20))
    def confirm(self, pick: int) -> None:
        """The disk has some of what it was handed, in order."""
        unsent = self.host.member.unsent
        self.heard(self.host.sync(unsent[pick % len(unsent)].sequence))

    @rule()
    def disk_fails(self) -> None:
        """The disk refuses: nothing more is said until a restart."""
        self.heard(self.host.feed(PersistFailed()))

    @rule(full=st.booleans())
    def disk_fills(self, full: bool) -> None:
        """No room for denials, or room again."""
        self.host.disk.full = full

    @precondition(lambda self: self.number + 1 < len(EPOCHS))
    @rule()
    def next_epoch(self) -> None:
        """The chain goes on."""
        self.number += 1
        event = EpochOpened(EPOCHS[self.number], DELEGATIONS[self.number])
        self.heard(self.host.feed(event))

    @rule(pick=st.integers(0, 5))
    def old_epoch(self, pick: int) -> None:
        """Somebody shows an epoch that is over, or the one in force."""
        number = min(pick, self.number)
        effects = self.host.feed(EpochOpened(EPOCHS[number], DELEGATIONS[number]))
        assert effects == []

    @rule(frozen=st.booleans())
    def freeze(self, frozen: bool) -> None:
        """A freeze of one tenant begins or ends."""
        self.heard(self.host.feed(FreezesKnown(FROZEN if frozen else Freezes())))

    @rule()
    def crash(self) -> None:
        """Killed; starts again with what was safe. Who had asked hears nothing."""
        self.open.clear()
        self.judging.clear()
        self.host.crash(DELEGATIONS[self.number], Digest())

    @rule()
    def drain_and_restart(self) -> None:
        """A rolling upgrade: what is under way is answered first."""
        self.heard(self.host.feed(Drain()))
        while self.judging:
            self.judge(0, Judgement(Verdict.APPROVE, 0))
        self.heard(self.host.sync())
        assert self.open == {}
        self.crash()

    @invariant()
    def state_is_bounded_and_accounts_for_every_ask(self) -> None:
        """Every open ask is under judgement or on its way to the disk, within the bounds."""
        member = self.host.member
        waiting = [one for held in member.waiting.values() for one in held]
        under_way = [one.reply for one in waiting] + [one.waiting.reply for one in member.unsent]
        assert sorted(under_way) == sorted(self.open)
        assert member.asks == len(under_way) <= ASKS_MAX
        assert all(0 < len(held) <= WAITING_MAX for held in member.waiting.values())
        assert not (member.broken and member.unsent)


MemberMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestMember = MemberMachine.TestCase
