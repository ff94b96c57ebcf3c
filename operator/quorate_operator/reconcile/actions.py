"""What a planner asks for, as data. Whoever carries it out decides nothing."""

from dataclasses import dataclass, field
from typing import Any, Literal

from quorate.alerts import BY_RULE, Rule, Severity
from quorate.api.v1alpha1.meta import Owners
from quorate.certificate import PolicyRef
from quorate_io.member_api import ObservedBatch
from quorate_operator.kinds import Key


@dataclass(frozen=True, slots=True)
class Target:
    """One object, and the incarnation of it that was observed."""

    key: Key
    uid: str
    api_version: str


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Have the members judge a model under a policy."""

    model: Key
    policy: PolicyRef


@dataclass(frozen=True, slots=True)
class ApplyStatus:
    """Write the whole status of a model or a policy, unless it has changed since it was seen."""

    target: Target
    resource_version: str
    status: dict[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class ReleaseGate:
    """Remove our scheduling gate, if the pod is still exactly the one that was judged."""

    target: Target
    resource_version: str
    gate_index: int
    created_at: str
    state: str
    """What of the pod can be changed later, by quorate.admission.released."""
    annotated: bool
    """Whether the pod has annotations."""


@dataclass(frozen=True, slots=True)
class EmitEvent:
    """Tell people about an object. ``reason`` is one stable CamelCase word."""

    target: Target
    type: Literal["Normal", "Warning"]
    reason: str
    note: str
    action: str


@dataclass(frozen=True, slots=True)
class Approved:
    """Somebody's signed agreement to what an alert is about."""

    approver: str
    time: str
    reason: str


@dataclass(frozen=True, slots=True)
class RaiseAlert:
    """Open or repeat an incident; see :mod:`quorate_operator.alerts`."""

    rule: Rule
    subject: Target
    namespace: str
    summary: str
    owners: Owners | None = None
    approvals: tuple[Approved, ...] = ()

    @property
    def severity(self) -> Severity:
        """How bad it is, by the catalogue."""
        return BY_RULE[self.rule].severity


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Delete exactly this pod. ``owner`` is the UID of whoever will start another one, if any."""

    target: Target
    owner: str
    because: RaiseAlert
    may_stay: bool = True
    """Whether it serves nobody where it is, so that it may be left when its owner's share of
    deletions is used up. If not, it waits its turn."""
    grace_seconds: int | None = None
    """How long it may take to end; its own time if None."""


@dataclass(frozen=True, slots=True)
class CordonNode:
    """Have nothing new scheduled on this node, if the installation says so."""

    node: str
    because: RaiseAlert


@dataclass(frozen=True, slots=True)
class PutObserved:
    """Relay what was observed to a member."""

    batch: ObservedBatch


@dataclass(frozen=True, slots=True)
class RotateLeaf:
    """Replace the webhook's serving certificate. ``because`` says why, for the log."""

    because: str


Action = Evaluate | ApplyStatus | ReleaseGate | EmitEvent | RaiseAlert | PutObserved | RotateLeaf
