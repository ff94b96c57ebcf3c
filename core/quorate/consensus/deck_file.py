"""A deck of canaries in a file, as its maker keeps it and its asker is given it. Pure.

It is a secret: who knows which requests are canaries can answer these alone rightly.
"""

from typing import Annotated, Final

import msgspec

from quorate import limits
from quorate.consensus import blank, wire
from quorate.consensus.canary import Canary, Deck
from quorate.errors import InvalidInput, LimitExceeded

VERSION: Final = 1
DECK_BYTES: Final = 1_000 * limits.KIB
"""As much as a Secret holds, beside its other fields."""
MEAN_SECONDS: Final = 10
MEAN_SECONDS_MAX: Final = 24 * 3_600

_Seconds = Annotated[int, msgspec.Meta(ge=1, le=MEAN_SECONDS_MAX)]


class DeckFile(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What the file holds. ``mean_seconds``: between two asks, on average; nobody commits to it."""

    version: Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)]
    mean_seconds: _Seconds
    canaries: Annotated[tuple[Canary, ...], msgspec.Meta(min_length=1)]

    @property
    def deck(self) -> Deck:
        """The deck. Raises InvalidInput, LimitExceeded if it is none."""
        return Deck(self.canaries)


_decoder = msgspec.msgpack.Decoder(DeckFile)


def encode(file: DeckFile) -> bytes:
    """The file's bytes. Raises as :func:`parse`."""
    data = wire.encode(file)
    parse(data)
    return data


def parse(data: bytes) -> DeckFile:
    """Read a deck; all of its canaries can be asked. Raises InvalidInput, LimitExceeded."""
    if len(data) > DECK_BYTES:
        raise LimitExceeded(f"has {len(data)} bytes; the limit is {DECK_BYTES}", field="deck")
    try:
        file = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(str(error)[:200], field="deck") from None
    for canary in file.deck.canaries:
        blank.fill(canary.blank, blank.SOMEBODY)
    return file
