"""What a gate needs to know of a predicate, whatever its type."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """How a run ended. WARNED is not a pass: whether it is enough is the policy's question."""

    PASSED = "PASSED"
    WARNED = "WARNED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Result, time and configuration. Digests are ``sha256:<hex>``, times aware.

    A document that reports no verdict of its own is PASSED as far as it goes: the gate's condition
    judges it.
    """

    result: Outcome
    made_at: datetime
    """What its age counts from."""
    suites: frozenset[str] = frozenset()
    """What was run or verified against; empty if the type does not say."""
    dataset: str | None = None
    harness: str | None = None
    expires_at: datetime | None = None
    """When its maker no longer stands by it."""
    gates: frozenset[str] | None = None
    """Names of the gates it is for; None for any."""
    namespaces: frozenset[str] = frozenset()
    """Namespaces it is for; empty for any."""
    failures: tuple[str, ...] = ()
    """What was not passed, for people."""
