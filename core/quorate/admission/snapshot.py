"""What admission knows: policies, models with verified certificates, claims. A lookup, no I/O.

Everything in a snapshot was verified when it entered; a decision only compares and counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from quorate.admission.injection import InjectionConfig
from quorate.admission.model import KnownModel
from quorate.admission.selection import Selections
from quorate.admission.templates import Templates
from quorate.api.v1alpha1 import SafetyException
from quorate.policy.compiled import CompiledPolicy


@dataclass(frozen=True, slots=True)
class BrokenPolicy:
    """A policy that does not compile. It denies every pod it might have been for."""

    namespace: str | None
    ref: str
    message: str


@dataclass(frozen=True, slots=True)
class Policies:
    """All policies of a cluster, and the selections worked out of them so far."""

    compiled: tuple[CompiledPolicy, ...] = ()
    broken: tuple[BrokenPolicy, ...] = ()
    selections: Selections = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "selections", Selections(self.compiled))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of the cluster as far as admission needs it."""

    injection: InjectionConfig
    policies: Policies = field(default_factory=Policies)
    models: Mapping[tuple[str, str], KnownModel] = field(default_factory=dict)
    """By (namespace, name)."""
    claims: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """Access modes of persistent volume claims, by (namespace, name)."""
    exceptions: Mapping[tuple[str, str], tuple[SafetyException, ...]] = field(default_factory=dict)
    """By the workload's (namespace, name). Their approvals are verified where they are used."""
    cluster_id: str = ""
    """Whose exceptions count."""
    admitted: Templates[bool] = field(default_factory=Templates, repr=False, compare=False)
    """Pods that were found good under these policies."""
    patches: Templates[bytes] = field(default_factory=Templates, repr=False, compare=False)
    """Patches that complete pods, as they are sent."""
    shaped: Templates[bool] = field(default_factory=Templates, repr=False, compare=False)
    """Specs of pods that were to run, whose shape was found right under these policies."""
    previous: tuple[InjectionConfig, ...] = ()
    """What the release before injected: pods of its time may still be released and bound."""
