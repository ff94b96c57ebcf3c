"""How a member behaves. The base class is an honest member; the zoo overrides."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from quorate.consensus.member import Judgement
from tests.sim.requests import Request

if TYPE_CHECKING:
    from tests.sim.node import Node

Answer = Callable[[bytes], None]


class Strategy:
    """Honest. ``faulty``: what the member does may be anything, and counts against r.
    ``convictable``: some of it is evidence. ``silent``: it may leave asks without a vote."""

    faulty = False
    convictable = False
    silent = False
    found_by = ""
    """Which canaries must find it while nothing is lost or late."""
    forgets = False
    """Whether its disk lies about what it keeps."""

    def __init__(self, node: "Node") -> None:
        self.node = node

    def judge(self, request: Request, honest: Judgement) -> Judgement:
        """What its judges say; ``honest`` is what able judges said."""
        return honest

    def answer(self, asker: str, data: bytes, place: str, answer: Answer) -> bool:
        """Answer an ask past the machine; False leaves it to the machine."""
        return False

    def patience(self) -> float:
        """Seconds that it keeps an answer back."""
        return 0.0

    def endorses_anything(self) -> bool:
        """Whether it signs every record it is shown."""
        return False

    def judging(self, seconds: float) -> float:
        """How long its judges take, where others' take ``seconds``."""
        return seconds
