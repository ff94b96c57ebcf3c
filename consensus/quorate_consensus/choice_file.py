"""Which record a member chose as the next epoch, so that it chooses once, whatever happens to it.

The choice is on disk before the signature leaves. Only the newest is kept: a member that finds a
choice for a later number than the one it is asked about has lost a part of its chain, and chooses
nothing before it has learnt that part again.
"""

from pathlib import Path
from typing import Final

import msgspec

from quorate.canonical import canonical, parse_object
from quorate.errors import InvalidInput, QuorateError
from quorate.statements import DigestText, convert
from quorate_consensus import durable
from quorate_consensus.small_file import read_file

NAME: Final = "chosen.json"
BYTES_MAX: Final = 4_096
_FIX: Final = (
    "restore the member's volume, or replace the member under a new key "
    "(kubectl quorate committee rotate)"
)


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The record with this digest, and no other, as epoch ``number``."""

    number: int
    digest: DigestText


class ChoiceFile:
    """The newest choice of one member, beside its epochs."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME

    def load(self) -> Choice | None:
        """None if it never chose. Raises InvalidInput for what cannot be read: nobody knows then
        what it signed."""
        if not self._path.exists():
            return None
        data = read_file(self._path, BYTES_MAX)
        try:
            return convert(parse_object(data, what="choice"), Choice, "choice")
        except QuorateError as error:
            raise InvalidInput(f"is no choice: {error}", field=str(self._path), fix=_FIX) from None

    def keep(self, choice: Choice) -> None:
        """On disk for certain. Raises OSError."""
        durable.replace(self._path, canonical(msgspec.to_builtins(choice)))
