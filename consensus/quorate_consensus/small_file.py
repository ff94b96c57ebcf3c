"""Reading the small files that a member is started with."""

from pathlib import Path
from typing import Final

from quorate.errors import InvalidInput

KEY_FILE_BYTES: Final = 8192


def read_file(path: Path, bytes_max: int) -> bytes:
    """Read a small file. Raises InvalidInput if it cannot be read or is larger."""
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", field=str(path)) from None
    if len(data) > bytes_max:
        raise InvalidInput(f"has more than {bytes_max} bytes", field=str(path))
    return data
