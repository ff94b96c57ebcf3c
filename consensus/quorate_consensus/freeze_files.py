"""Freezes that outlive a restart: a file for each order, named for what it orders."""

import re
from pathlib import Path
from typing import Final

from quorate.consensus import freeze
from quorate.consensus.freeze import ORDERS_MAX, SignedOrder
from quorate.errors import InvalidInput, QuorateError
from quorate_consensus import durable
from quorate_io import member_api

_FILE = re.compile(r"([0-9a-f]{64})\.json\Z", re.ASCII)
_FIX: Final = (
    "restore the member's volume; or remove the file and set the freeze again, if it is to hold"
)


class FreezeFiles:
    """The orders of one member, in a directory."""

    def __init__(self, directory: Path) -> None:
        """Makes ``directory`` if it is not there. Raises InvalidInput if that fails."""
        self._directory = directory
        durable.make_directory(directory)

    def load(self) -> list[SignedOrder]:
        """All orders. They were verified before they were written: who signed them may have left
        since, and they still hold.

        Raises InvalidInput if one cannot be read: nobody knows what it froze.
        """
        names = durable.names_in(self._directory, _FILE, ORDERS_MAX, "freezes")
        return [_read(self._directory / name) for name in names]

    def keep(self, signed: SignedOrder) -> None:
        """Write an order, on disk for certain. Raises OSError."""
        durable.replace(self._path(signed.order.order_id), member_api.encode(signed))

    def forget(self, order_id: str) -> None:
        """Remove an order that no longer holds. Raises OSError."""
        self._path(order_id).unlink(missing_ok=True)

    def _path(self, order_id: str) -> Path:
        return self._directory / f"{order_id.removeprefix('sha256:')}.json"


def _read(path: Path) -> SignedOrder:
    try:
        with path.open("rb") as file:
            signed = freeze.parse(file.read(member_api.FREEZE_BYTES + 1))
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", field=str(path)) from None
    except QuorateError as error:
        raise InvalidInput(f"is no freeze: {error}", field=str(path), fix=_FIX) from None
    if signed.order.order_id != f"sha256:{path.stem}":
        raise InvalidInput("holds another order than its name says", field=str(path), fix=_FIX)
    return signed
