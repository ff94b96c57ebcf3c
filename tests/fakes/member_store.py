"""A member and its disk, for tests: what was handed over, what is safe, and what a crash leaves."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from quorate.consensus import member as members
from quorate.consensus import wire
from quorate.consensus.epoch import Epoch
from quorate.consensus.freeze import Scope, Target
from quorate.consensus.member import (
    Asked,
    Effect,
    Event,
    Judge,
    Judged,
    Judgement,
    Key,
    Member,
    Persist,
    Persisted,
    Reply,
)
from quorate.consensus.signing import VoteSigner
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Abstention, Ask, Ballot, Signed, Verdict, Vote

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
TARGET = Target({Scope.TENANT: "team-a", Scope.NAMESPACE: "team-a"})
APPROVAL = Judgement(Verdict.APPROVE, 10)
DENIAL = Judgement(Verdict.DENY, 900, ("RuleMatched",), hard=True)


class Disk:
    """A :class:`quorate.consensus.member.Kept` that forgets every approval it may forget."""

    def __init__(self) -> None:
        self.denials: dict[tuple[bytes, Key], Judgement] = {}
        self.full = False

    def take(self, persist: Persist) -> None:
        """Take what a Persist hands over."""
        if persist.judgement.verdict is Verdict.DENY:
            self.denials[persist.epoch, persist.key] = persist.judgement

    def find(self, epoch: bytes, key: Key) -> Judgement | None:
        """The denial on ``key``, if there is one."""
        return self.denials.get((epoch, key))

    def is_full(self) -> bool:
        """Whether the test said so."""
        return self.full


@dataclass
class Host:
    """One member on one disk. A crash leaves the first ``safe`` of ``handed``; those from ``born``
    on are of this incarnation."""

    member: Member
    signer: VoteSigner
    disk: Disk = field(default_factory=Disk)
    handed: list[Persist] = field(default_factory=list)
    safe: int = 0
    born: int = 0
    effects: list[Effect] = field(default_factory=list)

    def feed(self, event: Event) -> list[Effect]:
        """Let ``event`` happen; the disk takes at once what it is handed."""
        self.member, effects = members.step(self.member, event, self.disk, self.signer)
        for effect in effects:
            if isinstance(effect, Persist):
                self.disk.take(effect)
                self.handed.append(effect)
        self.effects.extend(effects)
        return list(effects)

    def ask(
        self,
        reply: int,
        request: bytes = b"request",
        tier: Tier = Tier.STRICT,
        *,
        epoch: Epoch | None = None,
        target: Target = TARGET,
    ) -> list[Effect]:
        """Somebody asks; ``reply`` also makes its nonce and audience."""
        digest = (epoch or self.member.epoch).digest
        nonce, audience = reply.to_bytes(16, "big"), reply.to_bytes(32, "big")
        data = wire.encode(Ask(1, tier, digest, nonce, audience, 500, request))
        return self.feed(Asked(reply, data, target, NOW))

    def judge(self, asked: Iterable[Effect], judgement: Judgement = APPROVAL) -> list[Effect]:
        """The judges are done with the one request that ``asked`` asked them about."""
        (effect,) = asked
        assert isinstance(effect, Judge)
        return self.feed(Judged(effect.epoch, effect.key, judgement))

    def sync(self, sequence: int | None = None) -> list[Effect]:
        """The disk confirms everything, or all up to ``sequence``."""
        upto = sequence if sequence is not None else self.member.sequence
        confirmed = sum(1 for one in self.handed[self.born :] if one.sequence <= upto)
        self.safe = max(self.safe, self.born + confirmed)
        return self.feed(Persisted(upto))

    def crash(self, delegation: Signed, signer: VoteSigner, *, keep: bool = True) -> None:
        """Start again as the next incarnation, with what was safe, or with nothing."""
        self.handed = self.handed[: self.safe] if keep else []
        self.safe = self.born = len(self.handed)
        self.disk = Disk()
        for persist in self.handed:
            self.disk.take(persist)
        fresh = Member(
            self.member.name,
            self.member.epoch,
            self.member.incarnation + 1,
            delegation,
            self.member.judges,
        )
        self.member, self.signer = replace(fresh, freezes=self.member.freezes), signer


def answers(effects: Iterable[Effect]) -> dict[int, Ballot | str]:
    """What was answered, by reply: the ballot, or the reason of an abstention."""
    said: dict[int, Ballot | str] = {}
    for effect in effects:
        if isinstance(effect, Reply):
            answer = wire.decode_answer(effect.data)
            assert effect.reply not in said
            said[effect.reply] = (
                answer.reason
                if isinstance(answer, Abstention)
                else wire.decode(answer.ballot.body, Ballot)
            )
    return said


def votes(effects: Iterable[Effect]) -> list[Vote]:
    """The votes among the replies."""
    found = (wire.decode_answer(one.data) for one in effects if isinstance(one, Reply))
    return [answer for answer in found if isinstance(answer, Vote)]
