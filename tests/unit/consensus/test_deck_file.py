"""Deck files: read back as they were, or refused."""

import msgspec
import pytest

from quorate.consensus import deck_file, wire
from quorate.consensus.deck_file import DECK_BYTES, DeckFile
from quorate.errors import InvalidInput, LimitExceeded, QuorateError
from tests.fakes.ballots import canaries

FILE = DeckFile(deck_file.VERSION, 10, tuple(canaries(3, 2)))


def test_a_deck_comes_back_as_it_was() -> None:
    """With its root."""
    found = deck_file.parse(deck_file.encode(FILE))
    assert found == FILE
    assert found.deck.root == FILE.deck.root


BAD = {
    "nothing": b"",
    "cut": wire.encode(FILE)[:-1],
    "with more behind it": wire.encode(FILE) + b"\0",
    "another version": wire.encode(msgspec.structs.replace(FILE, version=2)),
    "no time between": wire.encode(msgspec.structs.replace(FILE, mean_seconds=0)),
    "no canary": wire.encode(msgspec.structs.replace(FILE, canaries=())),
    "safe ones first": wire.encode(
        msgspec.structs.replace(FILE, canaries=tuple(reversed(FILE.canaries)))
    ),
    "what cannot be asked": wire.encode(
        msgspec.structs.replace(
            FILE, canaries=(msgspec.structs.replace(FILE.canaries[0], blank=b"{}"),)
        )
    ),
    "deeply nested": b"\x91" * 100_000,
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_is_no_deck_is_refused(data: bytes) -> None:
    """Before any of it is asked."""
    with pytest.raises(QuorateError):
        deck_file.parse(data)


def test_an_oversized_deck_is_refused_unread() -> None:
    """The bound comes first; nor is one written."""
    with pytest.raises(LimitExceeded):
        deck_file.parse(bytes(DECK_BYTES + 1))
    with pytest.raises(InvalidInput):
        deck_file.encode(msgspec.structs.replace(FILE, mean_seconds=0))
