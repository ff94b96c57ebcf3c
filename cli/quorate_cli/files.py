"""Reading and writing the small files of the command line, with bounds and without half files."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from cryptography import x509

from quorate import limits
from quorate.errors import InvalidInput, LimitExceeded
from quorate.keys import PEM_BYTES_MAX, PublicKey, load_public_key, load_signer
from quorate.ports import Signer

CERTIFICATES_BYTES_MAX = 128 * limits.KIB
"""A file of PEM certificates."""


def read_file(path: Path, bytes_max: int = limits.EVIDENCE_BYTES) -> bytes:
    """The bytes of ``path``; LimitExceeded if there are more than ``bytes_max``."""
    with path.open("rb") as file:
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise LimitExceeded(f"has more than {bytes_max} bytes", field=str(path))
    return data


def check_target(path: Path) -> None:
    """Raise InvalidInput if no file can be written at ``path``: better now than after the work."""
    if path.is_dir():
        raise InvalidInput("is a directory", field=str(path))
    if not path.parent.is_dir():
        raise InvalidInput("its directory does not exist", field=str(path))


def write_file(path: Path, data: bytes) -> None:
    """Write ``data`` whole or not at all, replacing what was there."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def create_file(path: Path, data: bytes, mode: int) -> None:
    """Write a file that must not exist yet. Raises FileExistsError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def read_public_key(path: Path) -> PublicKey:
    """Read a PEM public key. Raises InvalidInput naming the file."""
    try:
        return load_public_key(read_file(path, PEM_BYTES_MAX).decode("ascii"))
    except (InvalidInput, UnicodeDecodeError) as error:
        message = error.message if isinstance(error, InvalidInput) else "is not a PEM public key"
        raise InvalidInput(message, field=str(path)) from None


def read_signer(path: Path, password: bytes | None) -> Signer:
    """The signer whose private key is in a PEM file. Raises InvalidInput naming the file."""
    try:
        return load_signer(read_file(path, PEM_BYTES_MAX), password)
    except InvalidInput as error:
        raise InvalidInput(error.message, field=str(path)) from None


def read_certificates(
    path: Path, load: Callable[[str], tuple[x509.Certificate, ...]]
) -> tuple[x509.Certificate, ...]:
    """Read PEM certificates with ``load``. Raises InvalidInput naming the file."""
    try:
        return load(read_file(path, CERTIFICATES_BYTES_MAX).decode("ascii"))
    except (InvalidInput, UnicodeDecodeError) as error:
        message = error.message if isinstance(error, InvalidInput) else "is not PEM certificates"
        raise InvalidInput(message, field=str(path)) from None


def read_password(path: Path | None) -> bytes | None:
    """The password in a file, without its line's end. Raises InvalidInput if there is none."""
    if path is None:
        return None
    password = read_file(path, PEM_BYTES_MAX).rstrip(b"\r\n")
    if not password:
        raise InvalidInput("holds no password", field=str(path))
    return password
