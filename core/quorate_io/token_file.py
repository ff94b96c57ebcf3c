"""The token that members are shown, as the kubelet projects it into a file."""

import os
import time
from pathlib import Path
from typing import Final

from quorate.errors import Unavailable

TOKEN_BYTES: Final = 16_384
FRESH_NS: Final = 2 * 10**9
"""A file written so lately may be written again within one tick of its time stamp: it is read."""

_Stamp = tuple[int, int, int, int, int]


class TokenFile:
    """Looks at the file for every request, for the kubelet replaces it long before it expires.

    Reads it only if it is another than before.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_as: _Stamp | None = None
        self._value = ""

    def shown(self) -> str:
        """The value of an Authorization header. Raises Unavailable."""
        try:
            stamp = _stamp(self._path)
            if stamp is not None and stamp == self._read_as:
                return self._value
            with self._path.open("rb") as file:
                token = file.read(TOKEN_BYTES + 1).decode("ascii").strip()
        except (OSError, UnicodeError) as error:
            self._read_as = None
            raise Unavailable(f"cannot read the token: {error}", field="token file") from None
        if not token or len(token) > TOKEN_BYTES or not token.isprintable():
            self._read_as = None
            raise Unavailable("does not hold a token", field="token file")
        # Of before it was read: what replaced it meanwhile has another, and is read next time.
        self._value, self._read_as = f"Bearer {token}", stamp
        return self._value


def _stamp(path: Path) -> _Stamp | None:
    """What changes whenever the file does; None while that cannot be told yet. Raises OSError."""
    found = os.stat(path)
    if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) < FRESH_NS:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
