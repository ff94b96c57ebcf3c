"""Makes training examples out of dialogues: varied phrasings, several turns, batches.

No two people type a question alike. The variations (case, punctuation, politeness,
typing errors) teach the model to look for the words that matter.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from quorate_training.demo.corpus import Dialogue
from quorate_training.demo.tokenizer import (
    BEGIN,
    END,
    PAD,
    Message,
    encode_message,
    encode_text,
)

# The model needs a notion of what a question looks like, but is judged by its answers.
QUESTION_WEIGHT = 0.05
SECOND_TURN_SHARE = 0.15
SYSTEM_SHARE = 0.15
PLAIN_TEXT_SHARE = 0.05
# So many batches are drawn at once and sorted by length, which leaves little padding.
POOL_BATCHES = 8

_SYSTEM_TEXTS = (
    "You are a helpful assistant.",
    "You answer questions about Quorate.",
    "Answer in one sentence.",
    "Be brief and polite.",
)
_OPENINGS = ("Please tell me: ", "Hi. ", "Hello, ", "Question: ", "Quick question: ", "So, ")
_CLOSINGS = (" Thanks.", " Please explain.", " Please.", " I am new here.", " Answer briefly.")
# Ways to begin a question that leave its subject alone.
_FRAMES = {
    "What is ": ("What's ", "Tell me what is ", "Explain ", "Describe ", "What exactly is "),
    "Explain ": ("What is ", "Please explain ", "Can you explain ", "Tell me about ", "Describe "),
    "What does ": ("Tell me what does ", "So what does ", "What exactly does "),
    "What happens ": ("What will happen ", "Tell me what happens ", "And what happens "),
    "How do I ": ("How can I ", "How to ", "Show me how to ", "How would I "),
    "Which command ": ("What command ", "Tell me which command "),
    "Why ": ("Tell me why ", "For what reason ", "And why "),
    "Can ": ("Tell me, can ", "And can ", "Could "),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """Token numbers, and for each one how much predicting it counts in the loss."""

    tokens: list[int]
    weights: list[float]


def vary_question(question: str, rng: random.Random) -> str:
    """Returns the question as another person might have typed it."""
    text = _reframe(question, rng) if rng.random() < 0.3 else question
    if rng.random() < 0.25:
        text = text.lower()
    if rng.random() < 0.2:
        text = text.rstrip("?.!")
    if rng.random() < 0.15:
        text = _mistype(text, rng)
    if rng.random() < 0.1:
        text = rng.choice(_OPENINGS) + text
    if rng.random() < 0.1:
        text += rng.choice(_CLOSINGS)
    return text


def _reframe(question: str, rng: random.Random) -> str:
    for opening, others in _FRAMES.items():
        if question.startswith(opening):
            return rng.choice(others) + question.removeprefix(opening)
    return question


def _mistype(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text))
    return text[:at] + text[at + 1 :] if rng.random() < 0.5 else text[:at] + text[at] + text[at:]


def make_sample(dialogues: Sequence[Dialogue], rng: random.Random) -> Sample:
    """Returns one example: a plain sentence, or one or two turns of chat."""
    if rng.random() < PLAIN_TEXT_SHARE:
        text = encode_text(rng.choice(dialogues).answer)
        return Sample([BEGIN, *text, END], [0.0] + [1.0] * (len(text) + 1))
    sample = Sample([BEGIN], [0.0])
    if rng.random() < SYSTEM_SHARE:
        _append(sample, Message("system", rng.choice(_SYSTEM_TEXTS)), weight=0.0)
    for _ in range(2 if rng.random() < SECOND_TURN_SHARE else 1):
        dialogue = _pick(dialogues, rng)
        question = vary_question(rng.choice(dialogue.questions), rng)
        _append(sample, Message("user", question), weight=QUESTION_WEIGHT)
        _append(sample, Message("assistant", dialogue.answer), weight=1.0)
    return sample


def _pick(dialogues: Sequence[Dialogue], rng: random.Random) -> Dialogue:
    """An answer that many questions lead to is drawn more often."""
    return rng.choices(dialogues, [len(dialogue.questions) for dialogue in dialogues])[0]


def _append(sample: Sample, message: Message, *, weight: float) -> None:
    tokens = encode_message(message)
    sample.tokens.extend(tokens)
    # Nobody predicts the role marker: the caller of the model sets it.
    sample.weights.extend([0.0] + [weight] * (len(tokens) - 1))


def batches(
    dialogues: Sequence[Dialogue], *, batch_size: int, rng: random.Random
) -> Iterator[list[Sample]]:
    """Yields batches without end; the samples of a batch have similar lengths."""
    while True:
        pool = [make_sample(dialogues, rng) for _ in range(batch_size * POOL_BATCHES)]
        pool.sort(key=lambda sample: len(sample.tokens))
        chunks = [pool[at : at + batch_size] for at in range(0, len(pool), batch_size)]
        rng.shuffle(chunks)
        yield from chunks


def pad(batch: Sequence[Sample]) -> tuple[list[list[int]], list[list[float]]]:
    """Returns the batch's tokens and weights as rows of one length."""
    length = max(len(sample.tokens) for sample in batch)
    tokens = [s.tokens + [PAD] * (length - len(s.tokens)) for s in batch]
    weights = [s.weights + [0.0] * (length - len(s.weights)) for s in batch]
    return tokens, weights
