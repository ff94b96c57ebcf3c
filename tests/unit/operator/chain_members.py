"""Members that keep a chain, in memory: each goes by the core's own rules, and may crash or lie."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from quorate.consensus import chain as chains
from quorate.consensus import history as histories
from quorate.consensus import succession
from quorate.consensus.chain import Certified, ChoiceKept, Keep, Link, Proposed
from quorate.consensus.epoch import (
    RECORD_TAG,
    Change,
    Epoch,
    EpochRecord,
    encode,
    open_epoch,
)
from quorate.consensus.history import History
from quorate.consensus.succession import CertifiedRecord, Endorsement
from quorate.errors import EvidenceError, QuorateError, Unavailable
from quorate_io.member_api import EpochDeclined, ErrorBody, Proposal, ProposeAnswer
from quorate_io.member_channel import MemberRefused
from quorate_io.operator_client import OperatorClient
from tests.fakes.ballots import SIGNATURES, Committee

Lie = Callable[[Proposal], ProposeAnswer]


@dataclass
class ChainMember:
    """One member, with its disk: what it chose and what is certified outlives it."""

    name: str
    committee: Committee
    genesis: Epoch
    away: bool = False
    doubt: str = ""
    lie: Lie | None = None
    """Answers in its place."""
    asked: list[EpochRecord] = field(default_factory=list)
    records: list[CertifiedRecord] = field(default_factory=list)
    kept: bytes = b""
    """Evidence that a pod showed it."""
    signed: dict[int, set[str]] = field(default_factory=dict)
    """Digests of what it signed, by number."""

    def __post_init__(self) -> None:
        self.link = Link(self.name, self.genesis)

    async def propose(self, proposal: Proposal) -> ProposeAnswer:
        """Sign, or say why not."""
        self._here()
        self.asked.append(proposal.record)
        if self.lie is not None:
            return self.lie(proposal)
        answer: ProposeAnswer | None = None
        for effect in self._step(Proposed(1, proposal.record, self._doubt(proposal))):
            match effect:
                case chains.Endorsed(_, endorsement):
                    digest = open_epoch(proposal.record).digest_text
                    self.signed.setdefault(proposal.record.number, set()).add(digest)
                    answer = ProposeAnswer(endorsement=endorsement)
                case chains.Declined(_, error, objection):
                    no = EpochDeclined(reason=objection.value, message=error.message)
                    answer = ProposeAnswer(declined=no)
        assert answer is not None
        return answer

    async def show(self, certified: CertifiedRecord) -> int:
        """Take it in."""
        self._here()
        for effect in self._step(Certified(certified)):
            if isinstance(effect, chains.Ignored):
                raise MemberRefused(409, ErrorBody(reason="EpochRefused", message="no"))
        return self.link.head.record.number

    async def evidence(self) -> bytes:
        """What it keeps against another one."""
        self._here()
        return self.kept

    async def chain(self, after: int) -> tuple[CertifiedRecord, ...]:
        """What it knows beyond that."""
        self._here()
        return tuple(one for one in self.records if one.record.number > after)

    def forget(self) -> None:
        """Lose the disk with the chain, but not what was chosen."""
        self.records, self.link = [], Link(self.name, self.genesis)

    def _here(self) -> None:
        if self.away:
            raise Unavailable(f"{self.name} did not answer")

    def _doubt(self, proposal: Proposal) -> QuorateError | None:
        if self.doubt:
            return EvidenceError(self.doubt)
        try:
            succession.check(self.link.head, proposal.record)
            succession.check_admins(self.link.head, proposal.record, proposal.admins, SIGNATURES)
        except QuorateError as error:
            return error
        if proposal.record.change is Change.QUARANTINE and not proposal.evidence:
            return EvidenceError("shows no evidence")
        return None

    def _step(self, event: chains.Event) -> list[chains.Effect]:
        identity = self.committee.parties[self.name].identity
        done: list[chains.Effect] = []
        self.link, effects = chains.step(self.link, event, identity, SIGNATURES)
        for effect in effects:
            if isinstance(effect, Keep):
                done += self._step(ChoiceKept(effect.digest))
            elif isinstance(effect, chains.Opened):
                self.records.append(effect.certified)
            done.append(effect)
        return done


class ChainMembers:
    """All of them, as the operator's client reaches them."""

    def __init__(self, committee: Committee) -> None:
        self.committee = committee
        self.genesis = committee.epoch
        self.all = {n: ChainMember(n, committee, committee.epoch) for n in committee.names}
        self.known = histories.begin(committee.epoch)

    def members(self) -> tuple[ChainMember, ...]:
        """Those whose word counts."""
        return tuple(self.all[name] for name in self.known.standing(self.known.head))

    async def history(self, *, newer: bool = False) -> History:
        """What they tell."""
        told = 0
        for member in self.all.values():
            if not member.away:
                told += 1
                self.known = histories.follow(self.known, member.records, SIGNATURES)
        if not told:
            raise Unavailable("no member answered")
        return self.known

    @property
    def client(self) -> OperatorClient:
        """As the operator takes it."""
        return cast(OperatorClient, self)

    def heads(self) -> list[int]:
        """Who is how far."""
        return [member.link.head.record.number for member in self.all.values()]


def forged(name: str) -> Lie:
    """Answers with a signature that is none."""
    return lambda proposal: ProposeAnswer(endorsement=Endorsement(name, b"x" * 64))


def another(name: str, other: ChainMember) -> Lie:
    """Answers with the signature of another member, in its own name or in that one's."""
    identity = other.committee.parties[other.name].identity

    def lie(proposal: Proposal) -> ProposeAnswer:
        signature = identity.sign(RECORD_TAG + encode(proposal.record))
        return ProposeAnswer(endorsement=Endorsement(name, signature))

    return lie
