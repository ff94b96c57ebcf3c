"""Turns a chat into the numbers that the model reads, as `tokenizer.json` says."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat; the role is `system`, `user` or `assistant`."""

    role: str
    text: str


class Tokenizer:
    """One number per character; the markers between turns have no spelling that a user could type.

    Raises ValueError or KeyError when the document does not describe such an alphabet.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        if document["type"] != "character":
            raise ValueError(f"unknown tokenizer type {document['type']!r}")
        markers: list[str] = document["markers"]
        characters: str = document["characters"]
        self._template: dict[str, Any] = document["chat_template"]
        self._markers = {marker: number for number, marker in enumerate(markers)}
        self._numbers = {c: number for number, c in enumerate(characters, start=len(markers))}
        self._spellings = [""] * len(markers) + list(characters)
        self._unknown = self._markers["unknown"]
        self.stop = self._markers[self._template["stop"]]
        self.size = len(self._spellings)

    @classmethod
    def load(cls, directory: Path) -> "Tokenizer":
        """Reads `tokenizer.json` from a model directory."""
        return cls(json.loads((directory / "tokenizer.json").read_text("utf-8")))

    def chat(self, messages: Iterable[Message]) -> list[int]:
        """Returns the chat up to the point where the assistant's next turn begins."""
        numbers = self._fill(self._template["start"])
        for message in messages:
            numbers += self._fill(self._template["turn"], message)
        return numbers + self._fill(self._template["answer"])

    def text(self, text: str) -> list[int]:
        """Returns plain text that the model is to continue, without roles."""
        return self._fill(self._template["start"]) + self._characters(text)

    def spell(self, numbers: Sequence[int]) -> str:
        """Returns the characters of the numbers; markers have none."""
        return "".join(self._spellings[number] for number in numbers)

    def _fill(self, parts: Iterable[str], message: Message | None = None) -> list[int]:
        numbers: list[int] = []
        for part in parts:
            if message and part == "{text}":
                numbers += self._characters(message.text)
            else:
                name = message.role if message and part == "{role}" else part
                numbers.append(self._markers[name])
        return numbers

    def _characters(self, text: str) -> list[int]:
        return [self._numbers.get(character, self._unknown) for character in text]
