"""Reports: sent at once, again until they are heard, bounded, and never in the way."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.alerts import REPORTED, Rule
from quorate.errors import Unavailable
from quorate.policy.runtime import RuntimeRules
from quorate.signed_state import PodState
from quorate_io.member_api import Report, ReportRequest, encode, read_reports
from quorate_sidecar import reporter as subject
from quorate_sidecar.reporter import Reporter, printable
from quorate_sidecar.state_age import overdue
from tests.fakes.vouching import NOW

LISTENER, LOG = Rule.FOREIGN_LISTENER, Rule.AUDIT_LOG_NOT_WRITTEN


class Clock:
    """Every look is a second later."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


class Sink:
    """Hears reports, or fails as it is told to."""

    def __init__(self) -> None:
        self.heard: list[dict[Rule, Report]] = []
        self.tries = 0
        self.fault: Exception | None = None

    async def report(self, reports: Sequence[Report]) -> int:
        self.tries += 1
        if self.fault:
            raise self.fault
        self.heard.append({report.rule: report for report in reports})
        return len(reports)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "SPACING", 0.01)
    monkeypatch.setattr(subject, "RETRY_SECONDS", (0.01, 0.02))


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something, for five seconds at most."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - polled: it is what the test looks at
            await asyncio.sleep(0.002)


async def test_the_first_report_says_that_nothing_holds() -> None:
    """It ends what another container of the pod said before."""
    sink = Sink()
    task = asyncio.create_task(Reporter(sink, Clock()).run())
    await until(lambda: bool(sink.heard))
    task.cancel()
    assert sink.heard == [{}]


@pytest.mark.requirement("a sidecar reports what holds, at once on change")
async def test_changes_are_told_at_once_and_what_ended_once() -> None:
    """Begin and end are told without waiting for a period; an end is told until it is heard."""
    sink = Sink()
    reporter = Reporter(sink, Clock())
    task = asyncio.create_task(reporter.run())
    reporter.note(LISTENER, "0.0.0.0:9000")
    await until(lambda: bool(sink.heard) and LISTENER in sink.heard[-1])
    assert sink.heard[-1][LISTENER].until is None
    reporter.note(LISTENER, "")
    await until(lambda: LISTENER in sink.heard[-1] and sink.heard[-1][LISTENER].until is not None)
    reporter.note(LOG, "disk full")
    await until(lambda: LOG in sink.heard[-1])
    task.cancel()
    assert list(sink.heard[-1]) == [LOG]


async def test_the_same_word_stays_the_same() -> None:
    """A condition that goes on, with other details each second, is one report."""
    sink = Sink()
    reporter = Reporter(sink, Clock())
    for port in range(100):
        reporter.note(LISTENER, f"port {port}")
        await reporter.send()
    assert len({report[LISTENER] for report in sink.heard}) == 1


async def test_what_began_and_ended_unheard_is_still_told() -> None:
    """A state that grew old while no member answered is told when one does."""
    sink = Sink()
    sink.fault = Unavailable("away")
    reporter = Reporter(sink, Clock())
    reporter.note(Rule.STATE_AGE_HIGH, "old")
    assert not await reporter.send()
    reporter.note(Rule.STATE_AGE_HIGH, "")
    assert not await reporter.send()
    sink.fault = None
    assert await reporter.send()
    (told,) = sink.heard
    assert told[Rule.STATE_AGE_HIGH].until is not None
    assert await reporter.send()
    assert sink.heard[-1] == {}


@pytest.mark.requirement("a failing report never changes what the sidecar decides")
@pytest.mark.parametrize("fault", [Unavailable("away"), RuntimeError("a fault of ours")])
async def test_failures_are_retried_and_go_no_further(fault: Exception) -> None:
    """Whatever goes wrong, it tries again, and ends when the member answers."""
    sink = Sink()
    sink.fault = fault
    reporter = Reporter(sink, Clock())
    reporter.note(LISTENER, "0.0.0.0:9000")
    task = asyncio.create_task(reporter.run())
    await until(lambda: sink.tries > 4)
    assert not task.done()
    sink.fault = None
    await until(lambda: bool(sink.heard))
    task.cancel()
    assert LISTENER in sink.heard[0]


async def test_a_listener_that_comes_and_goes_floods_nobody() -> None:
    """Ten thousand changes are one word and few requests."""
    sink = Sink()
    reporter = Reporter(sink, Clock())
    task = asyncio.create_task(reporter.run())
    for number in range(10_000):
        reporter.note(LISTENER, "here" if number % 2 else "")
        if number % 100 == 0:
            await asyncio.sleep(0)
    await until(lambda: bool(sink.heard) and LISTENER in sink.heard[-1])
    task.cancel()
    assert sink.tries < 50


async def test_the_last_word_of_a_container_is_bounded() -> None:
    """It is tried for a while, and then the container ends all the same."""
    sink = Sink()
    sink.fault = Unavailable("away")
    reporter = Reporter(sink, Clock())
    reporter.note(Rule.MODEL_MISMATCH, "other bytes")
    await asyncio.wait_for(reporter.deliver(0.05), 2)
    assert sink.tries > 1
    sink.fault = None
    await reporter.deliver(1)
    assert Rule.MODEL_MISMATCH in sink.heard[0]


@given(st.text(min_size=1, max_size=2000), st.sampled_from(REPORTED))
def test_any_message_can_be_sent(text: str, rule: Rule) -> None:
    """File names of a tenant's model are in it: the member must not refuse the report for them."""
    report = Report(rule=rule, message=printable(text), since=NOW)
    assert read_reports(encode(ReportRequest(reports=(report,)))) == (report,)
    assert json.loads(encode(report))["rule"] == rule.value


def test_a_state_is_overdue_at_half_of_its_life() -> None:
    """Not before, and not without one."""
    rules = RuntimeRules(
        port=8000, probe_paths=(), metrics_path=None, max_request_bytes=1, max_response_bytes=1,
        requests_per_minute=1, checks=(),
    )  # fmt: skip
    state = PodState(rules, "sha256:" + "5" * 64, (), NOW, NOW + timedelta(minutes=10))
    assert overdue(None, NOW) == ""
    assert overdue(state, NOW + timedelta(minutes=5)) == ""
    assert "newer" in overdue(state, NOW + timedelta(minutes=5, seconds=1))
