"""The sets of judges that ship with this release: what an installation writes into its seats.

Who installs need not have the judges: their digests are in a file that is made with them.
"""

from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from quorate.canonical import parse_object
from quorate.errors import InvalidInput
from quorate.statements import DigestText, Identifier, convert

FILE: Final = Path(__file__).with_suffix(".json")
ALL: Final = "all"
"""Every judge that needs nothing but the release: for a committee of one."""


class JudgeSets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The digest of each set, as in ``Seat.judges``, by its name."""

    sets: dict[Identifier, DigestText]


@lru_cache(maxsize=1)
def shipped() -> JudgeSets:
    """What is in the file."""
    return convert(parse_object(FILE.read_bytes(), what="judge sets"), JudgeSets, "judge sets")


def digest_of_set(name: str) -> str:
    """The digest of the set ``name``. Raises InvalidInput if there is none."""
    found = shipped().sets.get(name)
    if found is None:
        known = ", ".join(sorted(shipped().sets))
        raise InvalidInput(f"{name[:100]} is none of {known}", field="judges")
    return found


def set_of_digest(digest: str) -> str:
    """The name of the set with this digest. Raises InvalidInput if none ships that has it."""
    for name, found in shipped().sets.items():
        if found == digest:
            return name
    raise InvalidInput(f"{digest} is no set's that ships with this release", field="judges")
