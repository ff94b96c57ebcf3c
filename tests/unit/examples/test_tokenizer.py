"""The server's tokenizer reads what the training room wrote."""

from typing import Any

import pytest
from demo_server.tokenizer import Message, Tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate_training.demo import tokenizer as trained

ROLES = st.sampled_from(["system", "user", "assistant"])


@settings(deadline=None)
@given(st.lists(st.tuples(ROLES, st.text()), max_size=4))
def test_chats_are_encoded_as_in_training(turns: list[tuple[Any, str]]) -> None:
    """Any chat gets the very numbers that the model was trained with."""
    served = Tokenizer(trained.to_json()).chat(Message(role, text) for role, text in turns)
    assert served == trained.encode_prompt([trained.Message(role, text) for role, text in turns])


@settings(deadline=None)
@given(st.lists(st.integers(0, trained.VOCABULARY_SIZE - 1)))
def test_numbers_are_spelt_as_in_training(numbers: list[int]) -> None:
    """Any numbers get the very text that the training room gives them."""
    assert Tokenizer(trained.to_json()).spell(numbers) == trained.decode_text(numbers)


def test_plain_text_has_no_roles() -> None:
    """A text to continue begins like a chat and holds its characters only."""
    tokenizer = Tokenizer(trained.to_json())
    assert tokenizer.text("ab") == [trained.BEGIN, *trained.encode_text("ab")]
    assert tokenizer.stop == trained.END
    assert tokenizer.size == trained.VOCABULARY_SIZE


def test_another_kind_of_tokenizer_is_refused() -> None:
    """A document of another type is an error, not a guess."""
    with pytest.raises(ValueError, match="unknown tokenizer type 'bpe'"):
        Tokenizer(trained.to_json() | {"type": "bpe"})
