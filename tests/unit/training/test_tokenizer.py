"""The alphabet of the demo model."""

import string

from hypothesis import given, settings
from hypothesis import strategies as st

from quorate_training.demo.tokenizer import (
    ASSISTANT,
    BEGIN,
    END,
    MARKERS,
    UNKNOWN,
    USER,
    VOCABULARY_SIZE,
    Message,
    decode_text,
    encode_prompt,
    encode_text,
)


@settings(deadline=None)
@given(st.text(alphabet=string.printable[:95] + "\n"))
def test_text_survives(text: str) -> None:
    """Printable ASCII and line ends come back as they were."""
    assert decode_text(encode_text(text)) == text


@settings(deadline=None)
@given(st.text())
def test_no_text_becomes_a_marker(text: str) -> None:
    """Whatever a user types, no marker but UNKNOWN comes out."""
    numbers = encode_text(text)
    assert len(numbers) == len(text)
    assert all(n == UNKNOWN or len(MARKERS) <= n < VOCABULARY_SIZE for n in numbers)


def test_a_prompt_ends_where_the_answer_begins() -> None:
    """The chat template: begin, then each turn with its role and end, then the assistant's role."""
    numbers = encode_prompt([Message("user", "a"), Message("assistant", "b"), Message("user", "c")])
    a, b, c = (encode_text(letter)[0] for letter in "abc")
    assert numbers == [BEGIN, USER, a, END, ASSISTANT, b, END, USER, c, END, ASSISTANT]
