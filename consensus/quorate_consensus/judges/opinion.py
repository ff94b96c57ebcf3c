"""What a judge is, and what it says."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, runtime_checkable

from quorate.consensus.request import Request
from quorate.consensus.wire import REASONS_MAX, SCORE_MAX, Verdict
from quorate.errors import InvalidInput

_WORD: Final = re.compile(r"[A-Z][A-Za-z0-9]{1,39}\Z", re.ASCII)


class Failure(StrEnum):
    """Why a judge's opinion is not its own: whatever it was, it is a DENY. Stable words."""

    ERROR = "JudgeFailed"
    LATE = "JudgeTooLate"
    MALFORMED = "OpinionMalformed"
    OVERLOADED = "JudgeOverloaded"


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one judge says: ``score`` in thousandths of danger, ``reasons`` as stable words.

    ``hard``, of a DENY: it rests on a rule and not on a score.
    """

    verdict: Verdict
    score: int
    reasons: tuple[str, ...] = ()
    hard: bool = False


def denied(reason: str) -> Opinion:
    """The opinion of a judge that has none. Not hard: being slow or broken is no rule."""
    return Opinion(Verdict.DENY, SCORE_MAX, (reason,))


@dataclass(frozen=True, slots=True)
class Identity:
    """Which judge it is: its name, the version of its code, and the digest of all it goes by."""

    name: str
    version: int
    artefact: str
    """``sha256:<hex>`` of what the release gave it; empty if it goes by nothing."""


class Judge(Protocol):
    """One judge. Nothing that it does changes what it says of the next request."""

    @property
    def identity(self) -> Identity:
        """Which judge it is."""

    @property
    def deadline_ms(self) -> int:
        """How long it may take, in milliseconds."""

    async def judge(self, request: Request, left_ms: int) -> Opinion:
        """What it says of ``request``. ``left_ms`` is what is left of the time, its own included.

        Whatever it raises is a DENY.
        """


@runtime_checkable
class Prompt(Protocol):
    """A :class:`Judge` that mostly has its answer without waiting for anything."""

    def at_once(self, request: Request) -> Opinion | None:
        """What it says of a small ``request``; None if that has to be waited for.

        Whatever it raises is a DENY.
        """


def check(opinion: object) -> Opinion:
    """``opinion``, if it is one. Raises InvalidInput."""
    if type(opinion) is not Opinion:
        raise InvalidInput("is none", field="opinion")
    if type(opinion.verdict) is not Verdict or type(opinion.hard) is not bool:
        raise InvalidInput("must be APPROVE or DENY", field="opinion.verdict")
    if type(opinion.score) is not int or not 0 <= opinion.score <= SCORE_MAX:
        raise InvalidInput(f"must be 0 to {SCORE_MAX}", field="opinion.score")
    reasons = opinion.reasons
    if type(reasons) is not tuple or len(reasons) > REASONS_MAX:
        raise InvalidInput(f"must be at most {REASONS_MAX}", field="opinion.reasons")
    if not all(isinstance(word, str) and _WORD.match(word) for word in reasons):
        raise InvalidInput("must be words", field="opinion.reasons")
    if opinion.verdict is Verdict.APPROVE and opinion.hard:
        raise InvalidInput("only a DENY is hard", field="opinion.hard")
    if opinion.verdict is Verdict.DENY and not reasons:
        raise InvalidInput("a DENY has a reason", field="opinion.reasons")
    return opinion
