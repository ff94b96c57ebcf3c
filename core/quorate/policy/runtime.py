"""What a sidecar enforces at run time: the compiled, intersected rules of every policy."""

from typing import Literal

import msgspec

Action = Literal["flag", "mask", "deny"]
STRICTNESS: dict[str, int] = {"flag": 0, "mask": 1, "deny": 2}
"""The strictest action wins when two policies name the same check."""

CHECKS: tuple[str, ...] = ("secrets", "pii")
"""Content checks this release knows. A policy that names another one does not compile."""


class CheckRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One content check and what to do when it finds something."""

    name: str
    action: Action


class RuntimeRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Port of the model, paths that pass for probes, bounds, rate and checks.

    Sizes in bytes; ``requests_per_minute`` counts per pod.
    """

    port: int
    probe_paths: tuple[str, ...]
    metrics_path: str | None
    max_request_bytes: int
    max_response_bytes: int
    requests_per_minute: int
    checks: tuple[CheckRule, ...]
