"""Reads `questions.jsonl`: one question a line, with the facts that a good answer holds."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from demo_evaluation.suite import SuiteError


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the assistant, or a plain text that the model is to continue.

    An answer is right when it holds every one of `expect`, whatever the case of its letters.
    """

    id: str
    category: str
    prompt: str
    is_chat: bool
    expect: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """All questions, and the SHA-256 of the file they were read from."""

    name: str
    sha256: str
    questions: tuple[Question, ...]


def read_dataset(path: Path) -> Dataset:
    """Returns the questions of a file; raises SuiteError when it is malformed or empty."""
    content = path.read_bytes()
    try:
        questions = tuple(_question(line) for line in content.decode("utf-8").splitlines())
    except (ValueError, KeyError, TypeError) as error:
        raise SuiteError(f"{path.name}: {error!r}") from error
    if not questions or len({question.id for question in questions}) != len(questions):
        raise SuiteError(f"{path.name}: must hold questions with different ids")
    return Dataset(path.name, hashlib.sha256(content).hexdigest(), questions)


def _question(line: str) -> Question:
    item = json.loads(line)
    is_chat = "chat" in item
    return Question(
        id=item["id"],
        category=item["category"],
        prompt=item["chat"] if is_chat else item["text"],
        is_chat=is_chat,
        expect=tuple(fact.lower() for fact in item.get("expect", ())),
    )
