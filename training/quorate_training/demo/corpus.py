"""Reads the dialogues that the demo model learns.

A corpus file holds blocks separated by blank lines. A block is one or more lines `user: …`, which
are phrasings of the same question, and one last line `assistant: …`, which answers all of them.
"""

from dataclasses import dataclass
from pathlib import Path

CORPUS_DIR = Path(__file__).parent / "corpus"

_USER = "user: "
_ASSISTANT = "assistant: "


class CorpusError(ValueError):
    """A corpus file does not have the documented form; the message names file and block."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One answer and the questions that lead to it."""

    questions: tuple[str, ...]
    answer: str


def read_corpus(directory: Path = CORPUS_DIR) -> tuple[Dialogue, ...]:
    """Returns the dialogues of all `*.txt` files of a directory, in file name order.

    Raises CorpusError when a file is malformed or when there is none.
    """
    dialogues = [
        _parse_block(block, f"{path.name}, block {number}")
        for path in sorted(directory.glob("*.txt"))
        for number, block in enumerate(path.read_text("utf-8").strip().split("\n\n"), start=1)
    ]
    if not dialogues:
        raise CorpusError(f"no dialogue found in {directory}")
    return tuple(dialogues)


def _parse_block(block: str, where: str) -> Dialogue:
    *questions, answer = block.split("\n")
    if not questions or not all(line.startswith(_USER) for line in questions):
        raise CorpusError(f"{where}: every line before the last must start with {_USER!r}")
    if not answer.startswith(_ASSISTANT):
        raise CorpusError(f"{where}: the last line must start with {_ASSISTANT!r}")
    return Dialogue(
        questions=tuple(line.removeprefix(_USER) for line in questions),
        answer=answer.removeprefix(_ASSISTANT),
    )
