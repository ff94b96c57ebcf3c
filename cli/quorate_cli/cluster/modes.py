"""Namespaces by their mode."""

from dataclasses import dataclass, field
from typing import Final

from quorate import names
from quorate.admission.floor import EXCLUDED_NAMESPACES
from quorate_cli.cluster.kinds import NAMESPACE
from quorate_cli.cluster.reader import Reader

MODES: Final = ("enforce", "warn", "audit")


@dataclass(frozen=True, slots=True)
class Modes:
    """Namespaces that carry the mode label."""

    by_mode: dict[str, list[str]] = field(default_factory=dict)
    unknown: list[tuple[str, str]] = field(default_factory=list)
    """Namespace and value, where the value is no mode."""
    excluded: list[str] = field(default_factory=list)
    """Labelled, but never judged."""

    @property
    def enforced(self) -> list[str]:
        """Namespaces whose pods are judged."""
        return self.by_mode.get("enforce", [])


def read_modes(reader: Reader) -> Modes:
    """Every labelled namespace."""
    modes = Modes()
    for document in reader.each(NAMESPACE, labels=names.MODE_LABEL):
        name = str(document["metadata"]["name"])
        mode = str((document["metadata"].get("labels") or {}).get(names.MODE_LABEL, ""))
        if mode not in MODES:
            modes.unknown.append((name, mode))
        elif name in EXCLUDED_NAMESPACES:
            modes.excluded.append(name)
        else:
            modes.by_mode.setdefault(mode, []).append(name)
    return modes
