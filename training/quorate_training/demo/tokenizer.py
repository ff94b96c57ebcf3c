"""The demo model's alphabet: one number per printable ASCII character, and seven markers.

The markers have no spelling, so text that a user types can never turn into one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant"]

MARKERS = ("pad", "begin", "end", "system", "user", "assistant", "unknown")
CHARACTERS = "\n" + "".join(map(chr, range(32, 127)))

PAD, BEGIN, END, SYSTEM, USER, ASSISTANT, UNKNOWN = range(len(MARKERS))
VOCABULARY_SIZE = len(MARKERS) + len(CHARACTERS)

_ROLE_MARKER: dict[Role, int] = {"system": SYSTEM, "user": USER, "assistant": ASSISTANT}
_NUMBER = {character: len(MARKERS) + i for i, character in enumerate(CHARACTERS)}


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a dialogue."""

    role: Role
    text: str


def encode_text(text: str) -> list[int]:
    """Returns one number per character; characters outside the alphabet become UNKNOWN."""
    return [_NUMBER.get(character, UNKNOWN) for character in text]


def decode_text(numbers: Sequence[int]) -> str:
    """Returns the text of the numbers; markers have no spelling and vanish."""
    first = len(MARKERS)
    return "".join(CHARACTERS[number - first] for number in numbers if number >= first)


def encode_message(message: Message) -> list[int]:
    """Returns a turn as the chat template writes it: role marker, text, end marker."""
    return [_ROLE_MARKER[message.role], *encode_text(message.text), END]


def encode_prompt(messages: Sequence[Message]) -> list[int]:
    """Returns a dialogue up to the point where the model writes its answer."""
    turns = [number for message in messages for number in encode_message(message)]
    return [BEGIN, *turns, ASSISTANT]


def to_json() -> dict[str, object]:
    """Returns what `tokenizer.json` holds: all that another program needs to encode a chat."""
    return {
        "type": "character",
        "markers": list(MARKERS),
        "characters": CHARACTERS,
        "chat_template": {
            "start": ["begin"],
            "turn": ["{role}", "{text}", "end"],
            "answer": ["assistant"],
            "stop": "end",
        },
    }
