"""The epoch chain of four members, one of whom signs everything, under any order of events."""

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from quorate.consensus import chain, succession
from quorate.consensus import epoch as epochs
from quorate.consensus.chain import (
    WAITING_MAX,
    Certified,
    ChoiceKept,
    Declined,
    Effect,
    Endorsed,
    Keep,
    KeepFailed,
    Link,
    Opened,
    Proposed,
)
from quorate.consensus.epoch import RECORD_TAG, Change, Epoch, EpochRecord, open_epoch
from quorate.consensus.succession import CertifiedRecord, Endorsement
from quorate.consensus.thresholds import Thresholds
from quorate.errors import QuorateError
from tests.fakes.ballots import SIGNATURES, Committee, digest

COMMITTEE = Committee(Thresholds(n=4, fast=3, strict=3, r=1))
LIAR = "m3"
HONEST = ["m0", "m1", "m2"]
members = st.sampled_from(HONEST)


class Held:
    """An honest member's place, its disk, and who waits for an answer."""

    def __init__(self, name: str) -> None:
        self.link = Link(name, COMMITTEE.epoch)
        self.to_keep: list[Keep] = []
        self.safe: str | None = None
        self.waiting: set[int] = set()


class ChainMachine(RuleBasedStateMachine):
    """Proposals, disks, crashes, certificates in any order, and an administrator who signs all."""

    def __init__(self) -> None:
        super().__init__()
        self.held = {name: Held(name) for name in HONEST}
        self.replies = 0
        self.signed: dict[str, dict[str, Endorsement]] = {}
        self.records: dict[str, EpochRecord] = {}
        self.certified: dict[str, CertifiedRecord] = {}
        self.chosen: dict[tuple[str, int], set[str]] = {}

    def feed(self, name: str, event: chain.Event) -> None:
        """Let ``event`` happen to ``name``, and check what comes out."""
        held = self.held[name]
        identity = COMMITTEE.parties[name].identity
        before = held.link.head
        held.link, effects = chain.step(held.link, event, identity, SIGNATURES)
        for effect in effects:
            self.heard(name, held, effect, before)

    def heard(self, name: str, held: Held, effect: Effect, before: Epoch) -> None:
        match effect:
            case Keep():
                held.to_keep.append(effect)
            case Endorsed(reply, endorsement):
                held.waiting.remove(reply)
                assert held.safe == held.link.chosen
                assert held.safe is not None
                self.signed.setdefault(held.safe, {})[name] = endorsement
                number = self.records[held.safe].number
                self.chosen.setdefault((name, number), set()).add(held.safe)
            case Declined(reply, _):
                held.waiting.remove(reply)
            case Opened(epoch, _):
                assert epoch.record.previous == before.digest_text
                held.safe = None
                held.to_keep.clear()
            case _:
                pass

    @rule(name=members, char=st.sampled_from("12"), doubt=st.booleans())
    def propose(self, name: str, char: str, doubt: bool) -> None:
        """One of two records that could follow where ``name`` stands."""
        head = self.held[name].link.head
        record = _after(head, digest(char if digest(char) != head.record.policies else "3"))
        digest_text = open_epoch(record).digest_text
        self.records[digest_text] = record
        self.replies += 1
        self.held[name].waiting.add(self.replies)
        why = QuorateError("does not recompute") if doubt else None
        self.feed(name, Proposed(self.replies, record, why))
        data = RECORD_TAG + epochs.encode(record)
        lie = Endorsement(LIAR, COMMITTEE.parties[LIAR].identity.sign(data))
        self.signed.setdefault(digest_text, {})[LIAR] = lie

    @rule(name=members)
    def disk_keeps(self, name: str) -> None:
        """What it was handed first is safe."""
        held = self.held[name]
        if held.to_keep:
            held.safe = held.to_keep.pop(0).digest
            self.feed(name, ChoiceKept(held.safe))

    @rule(name=members)
    def disk_fails(self, name: str) -> None:
        """Nothing more is signed until a restart."""
        self.held[name].to_keep.clear()
        self.feed(name, KeepFailed())

    @rule(name=members)
    def crash(self, name: str) -> None:
        """Killed, and back with what was safe."""
        held = self.held[name]
        held.to_keep.clear()
        held.waiting.clear()
        held.link = Link(name, held.link.head, chosen=held.safe)

    @precondition(lambda self: any(len(by) >= 2 for by in self.signed.values()))
    @rule(pick=st.integers(0, 20))
    def certify(self, pick: int) -> None:
        """Somebody collects the signatures of a record, and the administrators add theirs."""
        ready = sorted(one for one, by in self.signed.items() if len(by) >= 2)
        digest_text = ready[pick % len(ready)]
        record = self.records[digest_text]
        admins = COMMITTEE.endorse(record, 0, 2).admins
        certified = CertifiedRecord(record, tuple(self.signed[digest_text].values()), admins)
        self.certified[digest_text] = certified

    @precondition(lambda self: self.certified)
    @rule(name=members, pick=st.integers(0, 20))
    def show(self, name: str, pick: int) -> None:
        """Any record that anybody collected signatures for, enough or not, old or new."""
        known = sorted(self.certified)
        self.feed(name, Certified(self.certified[known[pick % len(known)]]))

    @invariant()
    def nobody_chose_twice(self) -> None:
        """An honest member signed one record for each number."""
        assert all(len(chosen) == 1 for chosen in self.chosen.values())

    @invariant()
    def epochs_are_one_chain(self) -> None:
        """Of two records with one number at most one has enough signatures."""
        counted: dict[int, set[str]] = {}
        for digest_text, by in self.signed.items():
            if len(by) >= 3:
                counted.setdefault(self.records[digest_text].number, set()).add(digest_text)
        assert all(len(digests) == 1 for digests in counted.values())
        heads: dict[int, set[bytes]] = {}
        for held in self.held.values():
            heads.setdefault(held.link.head.record.number, set()).add(held.link.head.digest)
        assert all(len(digests) == 1 for digests in heads.values())

    @invariant()
    def everybody_who_waits_is_known(self) -> None:
        """No request for a signature is lost, and none waits beyond the bound."""
        for held in self.held.values():
            assert {reply for reply, _ in held.link.waiting} == held.waiting
            assert len(held.waiting) <= WAITING_MAX


def _after(head: Epoch, policies: str) -> EpochRecord:
    return msgspec.structs.replace(
        head.record,
        number=head.record.number + 1,
        previous=head.digest_text,
        change=Change.POLICIES,
        policies=policies,
    )


def test_the_machine_can_move_the_chain_on() -> None:
    """The rules above reach certified epochs: this is not about a chain that never moves."""
    machine = ChainMachine()
    for _ in range(3):
        for name in ("m0", "m1"):
            machine.propose(name, "1", doubt=False)
            machine.disk_keeps(name)
        for pick in range(len(machine.signed)):
            machine.certify(pick)
        for name in HONEST:
            for pick in range(len(machine.certified)):
                machine.show(name, pick)
        machine.epochs_are_one_chain()
    assert [held.link.head.record.number for held in machine.held.values()] == [3, 3, 3]
    assert succession.required(COMMITTEE.epoch, _after(COMMITTEE.epoch, digest("1"))).members == 3


ChainMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestChain = ChainMachine.TestCase
