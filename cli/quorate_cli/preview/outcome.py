"""A preview as data: the table, JSON and YAML are all made of it, so they say the same.

Field names are a promise to programs that read ``--output json``.
"""

from typing import Final

import msgspec

from quorate.admission.preview import Fate
from quorate.admission.suspension import Suspension
from quorate_cli.explain.explanation import Gap, PolicyLine, Refusal

EXAMPLES_MAX: Final = 5
"""Pods of a workload that are named; all are counted."""

MEANINGS: Final[dict[str, str]] = {
    Fate.GOES_ON: "goes on",
    Fate.HELD: "waits at its gate and may not run",
    Fate.STOPS_SERVING: "stays, and its sidecar refuses every request",
    Fate.REFUSED_NEXT: "stays, and the next one is refused",
    Fate.REPLACED: "is deleted (it was made while nothing enforced); its controller's next one is "
    "admitted",
    Fate.DELETED: "is deleted (it was made while nothing enforced), and nothing makes it again",
    Fate.REFUSED: "is deleted (it was made while nothing enforced), and the next one is refused",
    Fate.STATIC: "stays: a static pod cannot be refused, an incident names it",
}
"""Each fate for people."""


class PodsRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Pods of one workload that meet the same fate for the same reasons."""

    namespace: str
    workload: str
    """``deployment/chat``; ``pod/NAME`` of a pod that nothing made."""
    pods: int
    examples: tuple[str, ...]
    model: str
    policies: str
    """Those that select the pods."""
    owner: str
    """The model's owner, as the AttestedModel says; empty if it names none."""
    fate: str
    denied: bool
    """Something is refused, where the namespace enforces."""
    newly: bool
    """It is refused then, and is not today."""
    exempt: bool
    refusals: tuple[Refusal, ...] = ()


class ModelRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An AttestedModel and whether it holds what is asked of it."""

    namespace: str
    name: str
    digest: str
    owner: str
    policies: str
    """Those that may select its pods."""
    allowed: bool
    refusals: tuple[Refusal, ...] = ()


class NamespaceRow(msgspec.Struct, kw_only=True, rename="camel"):
    """A namespace: its mode today and in the preview, and its pods by fate."""

    name: str
    mode_today: str
    mode: str
    judged: bool = True
    """False where something needed for a verdict could not be read."""
    pods: int = 0
    fates: dict[str, int] = msgspec.field(default_factory=dict)
    denied: int = 0
    newly: int = 0
    lost: int = 0
    """Deleted, and nothing makes them again, where the namespace enforces."""
    suspension: Suspension | None = None
    """Somebody broke the glass here."""

    @property
    def enforced(self) -> bool:
        """Whether the preview refuses anything here, or only reports."""
        return self.mode == "enforce"


class Preview(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything a preview found. Counts are of pods, in namespaces that would enforce."""

    subject: str
    policy: PolicyLine | None
    applied: bool
    """Whether the policy is in force as it was judged."""
    namespaces: tuple[NamespaceRow, ...]
    pods: tuple[PodsRow, ...]
    models: tuple[ModelRow, ...]
    denied: int
    newly_denied: int
    lost: int
    """Deleted, and made again by nothing: not refused, and gone all the same."""
    gaps: tuple[Gap, ...] = ()
