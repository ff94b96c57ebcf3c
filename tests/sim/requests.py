"""What is asked about, and what an honest member's judges say of it."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from quorate.consensus import blank, wire
from quorate.consensus.blank import SOMEBODY
from quorate.consensus.freeze import Scope, Target
from quorate.consensus.member import Judgement
from quorate.consensus.wire import Verdict
from tests.fakes.blanks import canary_blank
from tests.sim.world import World

STRATA = ("prompt", "tool")
PLACES = ("team-a", "team-b")
TARGETS = {
    place: Target(
        {
            Scope.NAMESPACE: place,
            Scope.TENANT: place,
            Scope.WORKLOAD: f"{place}/chat",
            Scope.CAPABILITY: "tools",
            Scope.MODEL_VERSION: "demo-1",
        }
    )
    for place in PLACES
}
CANARY_MISTAKES = 0.01
"""How often able judges are wrong about a canary."""


class Truth(StrEnum):
    """What a request is. ``OPEN`` ones are a matter of opinion, or of the moment."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``wavers``: judges say now this, now that. ``is_canary`` is on nobody's wire:
    able judges are a little worse at canaries, which are made to be hard."""

    number: int
    truth: Truth
    stratum: str
    trigger: bool = False
    wavers: bool = False
    is_canary: bool = False

    @property
    def data(self) -> bytes:
        """Its bytes. Those of a canary are of one pod, and what was committed to of nobody."""
        if self.is_canary:
            return blank.fill(self.blank, SOMEBODY)
        return f"{self.number}|{self.stratum}|{self.trigger}|".encode()

    @property
    def blank(self) -> bytes:
        """A canary without its target."""
        return canary_blank(f"{self.number} {self.stratum}")


class Register:
    """All requests of a run, by their bytes: what only judges may look into."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[bytes, Request] = {}

    def add(self, request: Request) -> Request:
        """Make ``request`` known."""
        return self._known.setdefault(request.data, request)

    def find(self, data: bytes) -> Request:
        """The request of these bytes."""
        return self._known[data]

    def judgement(self, member: str, request: Request) -> Judgement:
        """What ``member``'s judges say, if they are able and honest."""
        random = self._world.random
        if request.truth is Truth.OPEN:
            if request.wavers:
                approves = random.random() < 0.5
            else:
                approves = hashlib.sha256(member.encode() + request.data).digest()[0] % 2 == 0
            return APPROVE if approves else DENY
        approves = request.truth is Truth.SAFE
        if request.is_canary and random.random() < CANARY_MISTAKES:
            approves = not approves
        if approves:
            return APPROVE
        return DENY_HARD if request.number % 3 == 0 else DENY


APPROVE = Judgement(Verdict.APPROVE, 50)
DENY = Judgement(Verdict.DENY, 900, ("Score",))
DENY_HARD = Judgement(Verdict.DENY, 1_000, ("Rule",), True)
OUT_OF_TIME = Judgement(Verdict.DENY, 1_000, (wire.JUDGE_LATE,))
