"""How a model stands under one requirement of a policy."""

from dataclasses import dataclass
from datetime import datetime

from quorate.verdict import Denial


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement of a policy and how the model stands. ``denial`` is None if it holds."""

    name: str
    denial: Denial | None
    shown_by: tuple[str, ...] = ()
    """Digests of the documents that show it."""
    not_after: datetime | None = None
    """When what shows it stops counting."""
    lifted_by: str = ""
    """Name of the SafetyException, if it holds only because of that."""
    note: str = ""
    """What a person should know of how it holds."""
