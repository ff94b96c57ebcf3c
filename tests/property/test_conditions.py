"""Conditions under arbitrary text and documents, and beside another implementation of CEL."""

from typing import Any

import cel as reference
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.cel import ConditionError, compile_condition
from quorate.errors import InvalidInput

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(-1e6, 1e6)
    | st.text("abé", max_size=4)
)
documents = st.fixed_dictionaries(
    {
        "a": scalars,
        "b": st.lists(st.integers(-3, 3), max_size=4),
        "c": st.dictionaries(st.sampled_from(["x", "y"]), scalars, max_size=2),
        "d": st.lists(st.text("ab", max_size=3), max_size=3),
    }
)

numbers = st.sampled_from(
    ["1", "0", "-2", "1.5", "predicate.b[0]", "predicate.b[1]", "predicate.b.size()", "predicate.a"]
)
texts = st.sampled_from(["'a'", "'ab'", "predicate.d[0]", "predicate.a", "predicate.c.x"])
atoms = st.sampled_from(
    ["true", "false", "has(predicate.c.x)", "predicate.a == null", "'x' in predicate.c"]
)
sums = st.recursive(
    numbers,
    lambda inner: st.tuples(inner, st.sampled_from("+-*/%"), inner).map(
        lambda part: f"({part[0]} {part[1]} {part[2]})"
    ),
    max_leaves=4,
)
comparisons = st.tuples(
    sums | texts, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), sums | texts
).map(" ".join)
macros = st.tuples(
    st.sampled_from(["all", "exists", "exists_one"]), st.sampled_from(["==", "<", ">="]), sums
).map(lambda part: f"predicate.b.{part[0]}(e, e {part[1]} {part[2]})")
searches = st.tuples(texts, st.sampled_from(["startsWith", "endsWith", "contains"]), texts).map(
    lambda part: f"{part[0]}.{part[1]}({part[2]})"
)
members = st.tuples(sums, st.sampled_from(["predicate.b", "[1, 2.0]", "predicate.d"])).map(
    lambda part: f"({part[0]}) in {part[1]}"
)
conditions = st.recursive(
    atoms | comparisons | macros | searches | members,
    lambda inner: (
        inner.map("!({})".format)
        | st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(
            lambda part: f"({part[0]}) {part[1]} ({part[2]})"
        )
        | st.tuples(inner, inner, inner).map(lambda part: "({}) ? ({}) : ({})".format(*part))
    ),
    max_leaves=4,
)


def ours(text: str, predicate: dict[str, Any]) -> bool | None:
    """Our answer; None if there is none."""
    try:
        return compile_condition(text, "condition").holds(predicate)
    except (ConditionError, InvalidInput):
        return None


@pytest.mark.requirement("a condition means what CEL says")
@given(conditions, documents)
@settings(max_examples=400)
def test_an_answer_is_the_one_other_implementations_give(
    text: str, predicate: dict[str, Any]
) -> None:
    """Where we say true or false, so does a CEL implementation that shares no code with ours."""
    answer = ours(text, predicate)
    if answer is not None:
        assert reference.compile(text).execute({"predicate": predicate}) is answer, text


@given(conditions, documents)
def test_an_answer_is_always_the_same(text: str, predicate: dict[str, Any]) -> None:
    """Members agree: compiling and asking again changes nothing."""
    assert ours(text, predicate) == ours(text, predicate)


@given(st.text(max_size=60) | st.text("predicate.!&|()[]<>=+-*/%'\"?: 019ax", max_size=60))
@settings(max_examples=300)
def test_arbitrary_text_compiles_or_is_refused(text: str) -> None:
    """No text makes the compiler fail in another way than InvalidInput."""
    try:
        condition = compile_condition(text, "condition")
    except InvalidInput:
        return
    try:
        assert condition.holds({"a": 1}) in (True, False)
    except ConditionError:
        return
