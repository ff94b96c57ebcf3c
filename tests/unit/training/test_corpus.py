"""The texts that the demo model learns."""

from pathlib import Path

import pytest

from quorate_training.demo.corpus import CorpusError, Dialogue, read_corpus
from quorate_training.demo.tokenizer import UNKNOWN, encode_text


def test_every_text_is_in_the_alphabet() -> None:
    """No character of the corpus is unknown to the tokenizer."""
    for dialogue in read_corpus():
        for text in (*dialogue.questions, dialogue.answer):
            assert UNKNOWN not in encode_text(text), text


def test_a_question_has_one_answer() -> None:
    """No question leads to two answers, which no model could learn."""
    questions = [question.lower() for d in read_corpus() for question in d.questions]
    assert len(set(questions)) == len(questions)


def test_blocks_become_dialogues(tmp_path: Path) -> None:
    """Phrasings of one block share its answer; files are read in name order."""
    (tmp_path / "b.txt").write_text("user: Three?\nassistant: 3\n")
    (tmp_path / "a.txt").write_text(
        "user: One?\nuser: 1?\nassistant: 1\n\nuser: Two?\nassistant: 2"
    )
    assert read_corpus(tmp_path) == (
        Dialogue(("One?", "1?"), "1"),
        Dialogue(("Two?",), "2"),
        Dialogue(("Three?",), "3"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "user: a question without an answer",
        "assistant: an answer without a question",
        "user: one\nsomebody: two\nassistant: three",
        "user: one\nassistant: two\nassistant: three",
    ],
)
def test_a_malformed_block_is_an_error(tmp_path: Path, text: str) -> None:
    """A block that does not have the documented form names its file and its place."""
    (tmp_path / "good.txt").write_text("user: One?\nassistant: 1\n")
    (tmp_path / "bad.txt").write_text(text)
    with pytest.raises(CorpusError, match=r"bad\.txt, block 1"):
        read_corpus(tmp_path)


def test_no_text_at_all_is_an_error(tmp_path: Path) -> None:
    """A directory without texts cannot be trained on."""
    with pytest.raises(CorpusError, match="no dialogue"):
        read_corpus(tmp_path)
