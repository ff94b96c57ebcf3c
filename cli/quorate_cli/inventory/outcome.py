"""An inventory as data: table, JSON, YAML, CSV and the page are all made of it.

Field names are a promise to programs that read ``--output json``.
"""

from enum import StrEnum
from typing import Final, Literal

import msgspec

from quorate.admission.suspension import Suspension
from quorate_cli.explain.explanation import Gap

Verdict = Literal["allowed", "denied", "held", "escaped", "reported", "not judged", "not known"]


class Risk(StrEnum):
    """How much a row asks for a person, the most first."""

    CRITICAL = "critical"
    """It runs in a namespace that enforces, and was never admitted."""
    HIGH = "high"
    """Nothing looks at it, and enforcing would refuse it; or what would happen is not known."""
    MEDIUM = "medium"
    """Nothing enforces: it would pass, or is only reported, or may be no model server."""
    LOW = "low"
    """Refused and held back, or reported and in order."""
    NONE = "none"
    """Enforced, and in order."""


RISKS: Final = tuple(Risk)


class Server(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The pods of one workload that serve a model, or seem to."""

    namespace: str
    mode: str
    """``enforce``, ``warn``, ``audit``; empty if the namespace has not opted in."""
    workload: str
    pods: int
    server: str
    """Which program, as tables name it; empty if it is not known."""
    confidence: str
    why: tuple[str, ...]
    image: str
    model: str
    """The AttestedModel that its label names; empty if none."""
    serves: str
    """What its own arguments say it loads; empty if they do not."""
    digest: str
    """The model's manifest digest; empty if there is no AttestedModel."""
    owner: str
    verdict: Verdict
    """What holds today."""
    enforce: str
    """The fate of each pod if the namespace enforced; empty if it is not known."""
    reasons: tuple[str, ...]
    """Why it would be refused."""
    risk: Risk


class Inventory(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything found. ``gaps`` says what could not be read: rows may be missing for it."""

    servers: tuple[Server, ...]
    pods_read: int
    namespaces: int
    by_risk: dict[str, int]
    """Pods."""
    gaps: tuple[Gap, ...] = ()
    suspended: tuple[Suspension, ...] = ()
    """Namespaces where somebody broke the glass."""
