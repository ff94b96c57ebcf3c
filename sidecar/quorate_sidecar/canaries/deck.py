"""The deck in the pod's volume. The kubelet replaces it when its Secret changes."""

from dataclasses import dataclass
from pathlib import Path

from quorate.consensus import deck_file
from quorate.consensus.canary import Deck
from quorate.consensus.deck_file import DECK_BYTES
from quorate.consensus.wire import Verdict
from quorate.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Loaded:
    """A deck, and what an asker needs of it over and over."""

    deck: Deck
    root: str
    unsafe: int
    """How many of the canaries are: the first ones."""
    mean_seconds: float

    @property
    def size(self) -> int:
        """How many canaries there are."""
        return len(self.deck.canaries)


class DeckReader:
    """Reads the file when it has changed. Blocks: to be called off the loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._data = b""
        self._loaded: Loaded | None = None

    @property
    def is_there(self) -> bool:
        """Whether the pod has a volume for a deck at all."""
        return self._path.parent.is_dir()

    def read(self) -> Loaded:
        """The deck as it is now. Raises InvalidInput, LimitExceeded."""
        try:
            with self._path.open("rb") as file:
                data = file.read(DECK_BYTES + 1)
        except OSError as error:
            raise InvalidInput(f"cannot be read: {error.strerror}", field="deck") from None
        if self._loaded is None or data != self._data:
            self._loaded = _loaded(data)
            self._data = data
        return self._loaded


def _loaded(data: bytes) -> Loaded:
    file = deck_file.parse(data)
    deck = file.deck
    unsafe = sum(canary.right is Verdict.DENY for canary in deck.canaries)
    return Loaded(deck, deck.root, unsafe, file.mean_seconds)
