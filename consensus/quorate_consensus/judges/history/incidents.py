"""The signed list of incidents."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from quorate.errors import InvalidInput
from quorate.statements import Identifier, convert
from quorate_features.shingles import Hashes
from quorate_features.sketches import SIZE, SKETCH_MAX, SKETCH_MIN

INCIDENTS_MAX: Final = 4_096
ENDS_BITS: Final = 16
_ENDS: Final = np.uint64((1 << ENDS_BITS) - 1)

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
    """All hashes in one sorted array, and whose each is. ``threshold``: the share that denies."""

    threshold: float
    names: tuple[str, ...]
    denies: tuple[bool, ...]
    sizes: NDArray[np.int64]
    hashes: Hashes
    owners: NDArray[np.int64]
    ends: NDArray[np.bool_]
    """Whether any hash has these ENDS_BITS last bits."""

    def candidates(self, found: Hashes) -> Hashes:
        """All of ``found`` that may be in a sketch, and a few more: most texts hold few, and only
        these need be sorted and looked up."""
        return found[self.ends[(found & _ENDS).view(np.int64)]]

    def shares(self, found: Hashes) -> list[float]:
        """How much of each incident is among the distinct hashes ``found``."""
        first = np.searchsorted(self.hashes, found, side="left")
        last = np.searchsorted(self.hashes, found, side="right")
        hits = np.zeros(len(self.names), dtype=np.int64)
        for at in np.flatnonzero(last > first):
            # One hash stands once in a sketch, so no owner is here twice.
            hits[self.owners[first[at] : last[at]]] += 1
        return [float(share) for share in hits / self.sizes]


def read_incidents(document: dict[str, Any]) -> Incidents:
    """Read the list. Raises InvalidInput for two incidents of one id or a sketch out of order."""
    file = convert(document, _File, "history")
    names = tuple(incident.id for incident in file.incidents)
    if len(set(names)) != len(names):
        raise InvalidInput("names an incident twice", field="history.incidents")
    hashes: list[int] = []
    owners: list[int] = []
    for number, incident in enumerate(file.incidents):
        if list(incident.sketch) != sorted(set(incident.sketch)):
            raise InvalidInput("must be sorted, each once", field=f"history.{incident.id}.sketch")
        hashes.extend(incident.sketch)
        owners.extend([number] * len(incident.sketch))
    known = np.array(hashes, dtype=np.uint64)
    order = np.argsort(known, kind="stable")
    ends = np.zeros(1 << ENDS_BITS, dtype=np.bool_)
    ends[(known & _ENDS).view(np.int64)] = True
    return Incidents(
        threshold=file.threshold,
        names=names,
        denies=tuple(incident.verdict == "deny" for incident in file.incidents),
        sizes=np.array([len(incident.sketch) for incident in file.incidents], dtype=np.int64),
        hashes=known[order],
        owners=np.array(owners, dtype=np.int64)[order],
        ends=ends,
    )
