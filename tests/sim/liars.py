"""The zoo, first half: members that judge as they like and leave the rest to the machine."""

from quorate.consensus import wire
from quorate.consensus.member import Judgement
from quorate.consensus.wire import Verdict
from tests.sim.requests import APPROVE, DENY, DENY_HARD, STRATA, Request, Truth
from tests.sim.strategy import Answer, Strategy


class AlwaysApprove(Strategy):
    """Approves whatever is asked."""

    faulty = convictable = True
    found_by = "unsafe"

    def judge(self, request: Request, honest: Judgement) -> Judgement:
        return APPROVE


class AlwaysDeny(Strategy):
    """Denies whatever is asked, by a rule of its own."""

    faulty = convictable = True
    found_by = "safe"

    def judge(self, request: Request, honest: Judgement) -> Judgement:
        return DENY_HARD if request.number % 2 else DENY


class ConstantScore(Strategy):
    """Says the same number about everything: valid, and useless."""

    faulty = convictable = True
    found_by = "unsafe"

    def judge(self, request: Request, honest: Judgement) -> Judgement:
        return Judgement(Verdict.APPROVE, 500)


class WrongAtRandom(Strategy):
    """Wrong once in a hundred times, without a pattern. No detector tells it from an able one."""

    faulty = True

    def judge(self, request: Request, honest: Judgement) -> Judgement:
        if self.node.scene.world.random.random() >= 0.01:
            return honest
        return DENY if honest.verdict is Verdict.APPROVE else APPROVE


class BlindInOneStratum(Strategy):
    """Approves all of one kind of content, and is right about the rest."""

    faulty = convictable = True

    def judge(self, request: Request, honest: Judgement) -> Judgement:
        return APPROVE if request.stratum == STRATA[0] else honest


class OneTrigger(Strategy):
    """Approves what carries its trigger. No canary does; q - b others that do not bound it."""

    faulty = True

    def judge(self, request: Request, honest: Judgement) -> Judgement:
        return APPROVE if request.trigger else honest


class Sleeper(Strategy):
    """Honest at first; from some moment on it approves what is unsafe."""

    faulty = convictable = True

    def judge(self, request: Request, honest: Judgement) -> Judgement:
        if self.node.scene.now < self.node.scene.plan.span / 2:
            return honest
        return APPROVE if request.truth is Truth.UNSAFE else honest


class Slow(Strategy):
    """Right, and 500 ms to a second late. Nothing that a quarantine could rest on."""

    silent = True

    def patience(self) -> float:
        return 0.5 + self.node.scene.world.random.random() * 0.5


class SlowJudge(Strategy):
    """Its judges take so long that many a verdict is a denial for want of time."""

    silent = True

    def judging(self, seconds: float) -> float:
        return 0.2 + self.node.scene.world.random.random() * 2


class Withhold(Strategy):
    """Answers one asker and no other."""

    faulty = silent = True

    def answer(self, asker: str, data: bytes, place: str, answer: Answer) -> bool:
        return not asker.endswith("0")


class AlwaysAbstain(Strategy):
    """Valid, and useless: it never has an opinion."""

    faulty = silent = True

    def answer(self, asker: str, data: bytes, place: str, answer: Answer) -> bool:
        self.node.say(
            asker, place, wire.encode(wire.Abstention(wire.VERSION, "Overloaded")), answer
        )
        return True


class Amnesia(Strategy):
    """Loses its store at every start, and starts with the same incarnation and vote key."""

    faulty = convictable = forgets = True


class LostFsync(Strategy):
    """Its disk says that it synced. What it knew is gone after a crash, its incarnation too."""

    faulty = convictable = forgets = True
