"""The signed list of incidents."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np

from quorate.errors import InvalidInput
from quorate.statements import Identifier, convert
from quorate_features.shingles import Hashes
from quorate_features.sketches import SIZE, SKETCH_MAX, SKETCH_MIN

INCIDENTS_MAX: Final = 4_096

_Hash = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]


class _Incident(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``verdict`` deny counts; note only raises the score."""

    id: Identifier
    verdict: Literal["deny", "note"]
    sketch: Annotated[tuple[_Hash, ...], msgspec.Meta(min_length=SKETCH_MIN, max_length=SKETCH_MAX)]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    version: Annotated[int, msgspec.Meta(ge=1, le=1)]
    gram_size: Annotated[int, msgspec.Meta(ge=SIZE, le=SIZE)]
    threshold: Annotated[float, msgspec.Meta(gt=0, le=1)]
    incidents: Annotated[tuple[_Incident, ...], msgspec.Meta(max_length=INCIDENTS_MAX)]


@dataclass(frozen=True, slots=True, eq=False)
class Incidents:
    """All sketches in one array, and where each ends. ``threshold`` is the share that denies."""

    threshold: float
    names: tuple[str, ...]
    denies: tuple[bool, ...]
    hashes: Hashes
    starts: tuple[int, ...]

    def shares(self, found: Hashes) -> list[float]:
        """How much of each incident is among the hashes ``found``."""
        if not self.names:
            return []
        held = np.isin(self.hashes, found)
        ends = (*self.starts[1:], len(self.hashes))
        return [float(held[start:end].mean()) for start, end in zip(self.starts, ends, strict=True)]


def read_incidents(document: dict[str, Any]) -> Incidents:
    """Read the list. Raises InvalidInput for two incidents of one id or a sketch out of order."""
    file = convert(document, _File, "history")
    names = tuple(incident.id for incident in file.incidents)
    if len(set(names)) != len(names):
        raise InvalidInput("names an incident twice", field="history.incidents")
    hashes: list[int] = []
    starts: list[int] = []
    for incident in file.incidents:
        if list(incident.sketch) != sorted(set(incident.sketch)):
            raise InvalidInput("must be sorted, each once", field=f"history.{incident.id}.sketch")
        starts.append(len(hashes))
        hashes.extend(incident.sketch)
    denies = tuple(incident.verdict == "deny" for incident in file.incidents)
    return Incidents(
        file.threshold, names, denies, np.array(hashes, dtype=np.uint64), tuple(starts)
    )
