"""Whatever a file of another tool, a threshold or an answer's body holds: a value or our error."""

import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.errors import QuorateError
from quorate_evaluation.endpoint import NoAnswer, read_completion
from quorate_evaluation.readers import garak, pyrit
from quorate_evaluation.thresholds import parse_threshold
from quorate_evaluation.transforms import TRANSFORMS, transformed
from tests.unit.evaluation.conftest import garak_entries, lines, pyrit_pieces

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def refused_or_consistent(read: Any, data: bytes) -> None:
    """A reader raises nothing but our errors, and never counts more successes than attacks."""
    try:
        tally = read(data)
    except QuorateError:
        return
    assert 0 <= tally.successes <= tally.attacks
    assert tally.attacks > 0


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    """Bytes of any kind."""
    refused_or_consistent(garak.read_report, data)
    refused_or_consistent(pyrit.read_export, data)
    with contextlib.suppress(NoAnswer):
        read_completion(data)


@settings(max_examples=300)
@given(st.data())
def test_reports_with_any_value_anywhere(data: st.DataObject) -> None:
    """Real reports in which any field holds any value."""
    entries = garak_entries()
    entry = data.draw(st.sampled_from(entries))
    entry[data.draw(st.sampled_from(sorted(entry)))] = data.draw(values)
    refused_or_consistent(garak.read_report, lines(entries))
    pieces = pyrit_pieces()
    piece = data.draw(st.sampled_from(pieces))
    piece[data.draw(st.sampled_from(sorted(piece)))] = data.draw(values)
    refused_or_consistent(pyrit.read_export, json.dumps(pieces).encode())


@given(st.data())
def test_a_report_that_lost_a_line_is_refused_or_the_same(data: st.DataObject) -> None:
    """No judged attempt can be left out of a garak report without notice."""
    whole = garak.read_report(lines(garak_entries()))
    entries = garak_entries()
    gone = entries.pop(data.draw(st.integers(0, len(entries) - 1)))
    try:
        tally = garak.read_report(lines(entries))
    except QuorateError:
        return
    assert tally == whole, gone


@given(st.text(max_size=60))
def test_any_threshold(text: str) -> None:
    """A threshold is read or refused, and what is read is written the same way again."""
    try:
        threshold = parse_threshold(text)
    except QuorateError:
        return
    assert parse_threshold(str(threshold)) == threshold
    assert not threshold.holds(float("nan"))


@given(st.text(max_size=200), st.integers(0, 2**31), st.sampled_from(sorted(TRANSFORMS)))
def test_transforms_take_any_text(text: str, seed: int, name: str) -> None:
    """A transform is the same for the same text and seed, and at most five times as long."""
    written = transformed(name, text, seed)
    assert written == transformed(name, text, seed)
    assert len(written) <= 5 * len(text) + 100
