"""The strict parser and the canonical form under arbitrary input."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from quorate.canonical import canonical, is_canonical, parse
from quorate.errors import QuorateError

text = st.text(st.characters(codec="utf-8"), max_size=12)
# RFC 8785 writes whole doubles up to 1e21 as integers, and beyond 2**53 those are refused.
numbers = st.integers(1 - 2**53, 2**53 - 1) | st.floats(
    allow_nan=False, allow_infinity=False
).filter(lambda number: not 2**53 <= abs(number) < 1e21)
values = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(text, inner, max_size=4).filter(
            lambda found: len({key.casefold() for key in found}) == len(found)
        )
    ),
    max_leaves=20,
)


def parsed(data: bytes) -> Any:
    """The value, or the error that refused it."""
    try:
        return parse(data)
    except QuorateError as error:
        return error


@given(st.binary(max_size=200))
@example(b"1e999")
@example(b'"\\ud800"')
@example(b"9" * 5000)
def test_arbitrary_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing but QuorateError comes out, and what is read agrees with the standard parser."""
    value = parsed(data)
    if not isinstance(value, QuorateError):
        assert value == json.loads(data)


@given(st.text('{}[]":,\\u0123456789eE+-. aNtfnull\ud800', max_size=60))
def test_texts_that_look_like_json_are_read_or_refused(data: str) -> None:
    """Nothing but QuorateError comes out of near misses, surrogates included."""
    parsed(data.encode("utf-8", "surrogatepass"))


@given(values)
def test_canonical_form_is_a_fixed_point(value: Any) -> None:
    """The canonical form parses back to the value, and its canonical form is itself."""
    data = canonical(value)
    again = parse(data)
    assert again == value
    assert canonical(again) == data


@given(values, st.integers(0, 2**16), st.integers(1, 255))
def test_one_changed_byte_is_refused_or_another_value(value: Any, where: int, flip: int) -> None:
    """Two values never share a canonical form, however close their texts are."""
    data = bytearray(canonical(value))
    data[where % len(data)] ^= flip
    changed = parsed(bytes(data))
    if isinstance(changed, QuorateError) or changed == value:
        return
    try:
        assert canonical(changed) != canonical(value)
    except QuorateError:
        return


@given(values, st.booleans(), st.booleans(), st.booleans())
@example({"\ue000": 1, "\U00010000": 2}, False, True, False)
@example([1.0, 1e3, -0.0, 1e-7], False, True, False)
@example({"a": "b:1.5", "c": "\x7f\u2028\x01"}, False, True, False)
def test_what_is_canonical_is_told_as_by_the_canonical_form(
    value: Any, escaped: bool, ordered: bool, spaced: bool
) -> None:
    """However a document is written, the quick way says what making the form anew says."""
    separators = (", ", ": ") if spaced else (",", ":")
    text = json.dumps(value, ensure_ascii=escaped, sort_keys=ordered, separators=separators)
    for data in (canonical(value), text.encode("utf-8")):
        again = parsed(data)
        if not isinstance(again, QuorateError):
            assert is_canonical(again, data) is (canonical(again) == data)
