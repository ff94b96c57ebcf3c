"""What the sets of judges that ship approve wrongly, alone and together: measured at the release.

Made with docs/reference/judges.md by ``python -m tools.judges report``, from requests that no judge
was trained on. Of judges that do not ship nothing is known here.
"""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final

import msgspec

from quorate.canonical import parse_object
from quorate.consensus.dependence import Pair
from quorate.statements import DigestText, Identifier, convert

FILE: Final = Path(__file__).with_suffix(".json")
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**31)]


class SetErrors(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One set: its digest as in ``Seat.judges``, and how many unsafe requests it approves."""

    judges: DigestText
    approved: _Count


class Common(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two sets by name, and how many unsafe requests both approve."""

    sets: tuple[Identifier, Identifier]
    approved: _Count


class Errors(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything in the file. ``unsafe``: requests that each set was asked about."""

    unsafe: _Count
    sets: dict[Identifier, SetErrors]
    common: tuple[Common, ...]


@lru_cache(maxsize=1)
def shipped() -> Errors:
    """What is in the file."""
    return convert(parse_object(FILE.read_bytes(), what="judge errors"), Errors, "judge errors")


def pair(judges: str, other: str) -> Pair | None:
    """What members with these judges (``Seat.judges``) approve; None if that was not measured."""
    errors = shipped()
    names = {found.judges: name for name, found in errors.sets.items()}
    one, two = names.get(judges), names.get(other)
    for common in errors.common:
        if one is not None and two is not None and set(common.sets) == {one, two}:
            alone = errors.sets[one].approved, errors.sets[two].approved
            return Pair(errors.unsafe, *alone, common.approved)
    return None
