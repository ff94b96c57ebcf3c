"""Every predicate type under arbitrary and mutated input."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.errors import QuorateError
from quorate.evidence.intoto import TYPES, Facts
from quorate.predicates import PredicateUri as Uri
from tests.fakes.predicates import predicate

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def read(kind: Uri, value: Any) -> Facts | None:
    """The facts, or None if it is refused in an orderly way."""
    try:
        return TYPES[kind].read(value)
    except QuorateError:
        return None


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a document, outermost first."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


@pytest.mark.requirement("property tests for every parser")
@pytest.mark.parametrize("kind", list(Uri))
@given(json_values)
@settings(max_examples=40)
def test_arbitrary_predicates_never_crash(kind: Uri, value: Any) -> None:
    """Any JSON value is read or refused."""
    read(kind, value if isinstance(value, dict) else {"x": value})


@pytest.mark.requirement("property tests for every parser")
@pytest.mark.parametrize("kind", list(Uri))
@given(st.data())
@settings(max_examples=60)
def test_foreign_values_never_crash_a_parser(kind: Uri, data: st.DataObject) -> None:
    """A sample with any JSON value in any place is read or refused, and is itself left alone."""
    document = predicate(kind)
    holder, key = data.draw(st.sampled_from(list(places(document))))
    holder[key] = data.draw(json_values)
    before = copy.deepcopy(document)
    facts = read(kind, document)
    assert repr(document) == repr(before)
    if facts is not None:
        assert facts.made_at.tzinfo is not None


@pytest.mark.parametrize("kind", list(Uri))
def test_every_field_is_optional_by_decision_only(kind: Uri) -> None:
    """A sample without any one of its fields is read or refused; never read as newer."""
    whole = TYPES[kind].read(predicate(kind))
    for index in range(len(list(places(predicate(kind))))):
        document = predicate(kind)
        holder, key = list(places(document))[index]
        del holder[key]
        facts = read(kind, document)
        assert facts is None or facts.made_at <= whole.made_at
