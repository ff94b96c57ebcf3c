"""What pods report, under arbitrary input: an error of ours, or reports within their bounds."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.alerts import REPORTED, Rule
from quorate.errors import QuorateError
from quorate_consensus.reports import Reports
from quorate_io.member_api import (
    REPORT_CHARS,
    ObservedPod,
    Report,
    ReportRequest,
    encode,
    read_reports,
)
from tests.fakes.vouching import NOW

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
REPORT = st.fixed_dictionaries(
    {
        "rule": st.sampled_from([*Rule, "Other", ""]),
        "message": st.text(max_size=20) | st.just("x" * (REPORT_CHARS + 1)),
        "since": st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01T00:00:00", "now", 1]),
    },
    optional={
        "until": st.sampled_from([None, "2026-01-01T00:00:00Z", 0]),
        "uid": st.just("another-pod"),
    },
)
INSTANT = st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
GOOD = st.builds(
    Report,
    rule=st.sampled_from(REPORTED),
    message=st.text(min_size=1, max_size=40).filter(str.isprintable),
    since=INSTANT,
    until=st.none() | INSTANT,
)
SAID = st.lists(GOOD, max_size=len(REPORTED), unique_by=lambda report: report.rule)


@given(st.binary(max_size=200) | JSON.map(lambda v: json.dumps(v).encode("utf-8", "surrogatepass")))
def test_any_body_is_refused(data: bytes) -> None:
    """What is no report is an error of ours."""
    with pytest.raises(QuorateError):
        read_reports(data)


@pytest.mark.requirement("a report names only the caller's own pod")
@given(st.lists(REPORT, max_size=8))
def test_reports_are_read_within_their_bounds_or_refused(reports: list[dict[str, object]]) -> None:
    """Whatever is read names no pod, only rules a pod may report, each once, in printable words."""
    try:
        found = read_reports(json.dumps({"reports": reports}).encode())
    except QuorateError:
        return
    rules = [report.rule for report in found]
    assert len(set(rules)) == len(rules)
    assert set(rules) <= set(REPORTED)
    assert all(0 < len(report.message) <= REPORT_CHARS for report in found)
    assert all(report.message.isprintable() and report.since.tzinfo for report in found)
    assert not any("uid" in report for report in reports)


@given(SAID)
def test_what_is_written_is_read(said: list[Report]) -> None:
    """A sidecar's own words arrive as they were."""
    assert list(read_reports(encode(ReportRequest(reports=tuple(said))))) == said


@given(st.lists(st.tuples(st.integers(0, 3), SAID), max_size=12), st.integers(0, 12))
def test_whenever_the_operator_reads_it_knows_the_last_word(
    said: list[tuple[int, list[Report]]], read_after: int
) -> None:
    """Reading once in the middle and once at the end leads to the same as reading at the end."""
    room = Reports(pods_max=4)
    cursor, known = "", {}
    for step, (number, reports) in enumerate(said):
        if step == read_after:
            answer = room.after(cursor)
            cursor, known = answer.cursor, {one.uid: one for one in answer.pods}
        pod = ObservedPod(uid=f"u{number}", namespace="n", name=f"p{number}", labels={})
        room.put(pod, reports, NOW)
    known |= {one.uid: one for one in room.after(cursor).pods}
    assert known == {one.uid: one for one in room.after("").pods}
