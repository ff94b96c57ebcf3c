"""The examples that the demo model is trained with."""

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from quorate_training.demo.corpus import Dialogue, read_corpus
from quorate_training.demo.samples import batches, make_sample, pad, vary_question
from quorate_training.demo.tokenizer import ASSISTANT, BEGIN, END, PAD, decode_text

DIALOGUES = (Dialogue(("What is a gate?",), "A test."), Dialogue(("Why?", "How?"), "Because."))


@settings(deadline=None)
@given(st.integers())
def test_only_answers_count_fully(seed: int) -> None:
    """In a chat, the places of full weight are exactly the answers and the ends of them."""
    sample = make_sample(DIALOGUES, random.Random(seed))
    assert len(sample.tokens) == len(sample.weights)
    if ASSISTANT not in sample.tokens:
        assert decode_text(sample.tokens) in {"A test.", "Because."}
        return
    judged = [t for t, weight in zip(sample.tokens, sample.weights, strict=True) if weight == 1.0]
    answers = decode_text(judged).replace("A test.", "").replace("Because.", "")
    assert answers == ""
    assert judged[-1] == sample.tokens[-1] == END
    assert judged.count(END) == sample.tokens.count(ASSISTANT)
    assert sample.tokens[0] == BEGIN
    assert sample.weights[0] == 0.0


@settings(deadline=None)
@given(st.sampled_from([q for d in read_corpus() for q in d.questions]), st.integers())
def test_a_varied_question_is_never_empty(question: str, seed: int) -> None:
    """However a question is varied, something of it is left."""
    assert vary_question(question, random.Random(seed)).strip()


def test_the_same_seed_gives_the_same_batches() -> None:
    """Training examples depend on the seed alone."""
    supplies = [batches(DIALOGUES, batch_size=4, rng=random.Random(3)) for _ in range(2)]
    first, second = (list(itertools.islice(supply, 20)) for supply in supplies)
    assert first == second
    other = batches(DIALOGUES, batch_size=4, rng=random.Random(4))
    assert list(itertools.islice(other, 20)) != first


def test_padding_weighs_nothing() -> None:
    """All rows of a batch get one length; what is added never counts."""
    batch = next(batches(DIALOGUES, batch_size=6, rng=random.Random(1)))
    rows, weights = pad(batch)
    assert {len(row) for row in rows + weights} == {max(len(s.tokens) for s in batch)}
    for sample, row, weight in zip(batch, rows, weights, strict=True):
        added = len(row) - len(sample.tokens)
        assert row == sample.tokens + [PAD] * added
        assert weight == sample.weights + [0.0] * added
