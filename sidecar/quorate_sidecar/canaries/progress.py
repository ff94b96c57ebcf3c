"""How far a deck was asked: on the pod's own volume, which lives as long as the pod's name for it.

Kept before a canary is asked, so that no restart asks one twice.
"""

import os
from pathlib import Path
from typing import Annotated, Final

import msgspec

from quorate.canonical import parse_object
from quorate.errors import InvalidInput
from quorate.statements import DigestText, convert

FILE: Final = "canaries-asked.json"
BYTES_MAX: Final = 4_096
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**31)]


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of the deck with this root: the numbers to go on with, of the unsafe and of the safe ones."""

    root: DigestText
    unsafe: _Count
    safe: _Count


class ProgressFile:
    """The file in ``folder``. Blocks: to be called off the loop."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def load(self) -> Asked | None:
        """What was kept; None if nothing ever was. Raises InvalidInput if it cannot be read:
        what was asked is not known then, and must not be asked again."""
        try:
            with self._path.open("rb") as file:
                data = file.read(BYTES_MAX + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InvalidInput(f"cannot be read: {error.strerror}", field=FILE) from None
        return convert(parse_object(data, bytes_max=BYTES_MAX, what=FILE), Asked, FILE)

    def keep(self, asked: Asked) -> None:
        """Be certain that it is on disk. Raises OSError."""
        fresh = self._path.with_name(f".{FILE}")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(asked))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
