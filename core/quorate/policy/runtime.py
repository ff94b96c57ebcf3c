"""What a sidecar enforces at run time: the compiled, intersected rules of every policy."""

from typing import Annotated, Literal

import msgspec

from quorate import limits
from quorate.risk.route import VOTING, Voting
from quorate.risk.rules import RiskTable

Action = Literal["flag", "mask", "deny"]
STRICTNESS: dict[str, int] = {"flag": 0, "mask": 1, "deny": 2}
"""The strictest action wins when two policies name the same check."""

CHECKS: tuple[str, ...] = ("secrets", "pii")
"""Content checks this release knows. A policy that names another one does not compile."""


class CheckRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One content check and what to do when it finds something."""

    name: str
    action: Action


class Remeasure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """How often the model is looked at, and hashed again, while it is served. In seconds."""

    scan_seconds: Annotated[int, msgspec.Meta(ge=1)] = 2
    rehash_seconds: Annotated[int, msgspec.Meta(ge=60)] = 3600


REMEASURE = Remeasure()
"""What holds unless a policy says less."""


class RuntimeRules(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True
):
    """Port of the model, paths that pass for probes, bounds, rate and checks.

    Sizes in bytes; ``requests_per_minute`` counts per pod. What is as by default is not sent: the
    release before, which does not know it, still understands the rest.
    """

    port: int
    probe_paths: tuple[str, ...]
    metrics_path: str | None
    max_request_bytes: int
    max_response_bytes: int
    requests_per_minute: int
    checks: tuple[CheckRule, ...]
    remeasure: Remeasure = REMEASURE
    risk: Annotated[tuple[RiskTable, ...], msgspec.Meta(max_length=limits.POLICIES_PER_POD)] = ()
    """One for each policy that says which actions are risky."""
    voting: Voting = VOTING
