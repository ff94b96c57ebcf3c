"""What a suite is: the interface of plug-ins. ``docs/howto/write-a-suite.md`` has a whole one.

A suite says what to ask (:class:`Case`), and makes figures of the answers (:class:`Scores`). It
opens no connection and decides no verdict: the runner asks, and thresholds decide.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, runtime_checkable

from quorate.errors import InvalidInput

ENTRY_POINTS: Final = "quorate.suites"
"""Entry-point group under which a distribution offers suites: a function that returns one."""

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of what is sent to the model."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Case:
    """One request. ``id`` is unique within a run and means the same in every run."""

    id: str
    messages: tuple[Message, ...]
    max_tokens: int = 128


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said. ``refused``: the server itself says that the model refused."""

    text: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure, with the ends of its 95 % interval where it has one."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None

    def flat(self) -> dict[str, float]:
        """The figure and its ends by name: ``x``, ``x_low``, ``x_high``."""
        ends = {f"{self.name}_low": self.low, f"{self.name}_high": self.high}
        return {self.name: self.value} | {k: v for k, v in ends.items() if v is not None}


@dataclass(frozen=True, slots=True)
class Scores:
    """What the answers show. ``findings`` are (case, what was wrong), for the report's reader."""

    metrics: tuple[Metric, ...]
    findings: tuple[tuple[str, str], ...] = ()

    def flat(self) -> dict[str, float]:
        """All figures by name. Raises InvalidInput for a name given twice or no finite number."""
        found: dict[str, float] = {}
        for metric in self.metrics:
            for name, value in metric.flat().items():
                if name in found or not math.isfinite(value):
                    raise InvalidInput("must be given once, and finite", field=f"metric {name}")
                found[name] = float(value)
        return found


@dataclass(frozen=True, slots=True)
class Threshold:
    """A bound on a metric. Broken, the result is FAILED; with ``warns``, WARNED."""

    metric: str
    at_most: bool
    bound: float
    warns: bool = False

    def holds(self, value: float) -> bool:
        """Whether ``value`` is within the bound. No number is within any."""
        return value <= self.bound if self.at_most else value >= self.bound

    def __str__(self) -> str:
        return f"{self.metric}{'<=' if self.at_most else '>='}{self.bound:.12g}"


class Suite(Protocol):
    """A set of cases and how to score them."""

    @property
    def name(self) -> str:
        """What people call it, in lower case with dashes."""

    @property
    def summary(self) -> str:
        """What it measures, in a line."""

    @property
    def digest(self) -> str:
        """``sha256:<hex>`` of what it is: its code, or a document that pins its meaning."""

    @property
    def dataset_digest(self) -> str:
        """``sha256:<hex>`` of the texts it asks with."""

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """The bounds that decide unless others are given."""

    def cases(self, seed: int) -> Sequence[Case]:
        """What to ask; the same for the same ``seed``."""

    def score(self, answers: Mapping[str, Answer], seed: int) -> Scores:
        """Figures of the answers, by the ids of their cases; a few cases may have none.

        Raises InvalidInput if the answers are too few to say anything.
        """


@runtime_checkable
class TakesReports(Protocol):
    """A suite that also counts what other tools found."""

    @property
    def report_formats(self) -> tuple[str, ...]:
        """The formats it reads."""

    def with_report(self, format_name: str, data: bytes) -> Suite:
        """The suite with one report added. Raises InvalidInput for a malformed one."""
