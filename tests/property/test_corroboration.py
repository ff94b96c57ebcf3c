"""Reports with liars among the members: nobody is believed alone, and nobody keeps a thing back."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.alerts import Rule
from quorate_io.member_api import PodReports, Report
from quorate_operator.reconcile.corroboration import DIFFERENTLY, Words, corroborate
from tests.fakes.vouching import NOW

REQUIREMENT = "reports by quorum: at most r members that lie neither raise nor hide anything"
FOREVER = datetime.max.replace(tzinfo=UTC)
SINCES = [NOW] * 3 + [NOW + timedelta(seconds=1)]
ENDS = [NOW + timedelta(minutes=m) for m in range(4)]
ODD = [
    datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))),
    datetime.min.replace(tzinfo=timezone(timedelta(hours=12))),
    FOREVER,
    NOW - timedelta(hours=1),
]
RULES = [Rule.FOREIGN_LISTENER] * 4 + [Rule.STATE_AGE_HIGH]


def said(odd: list[datetime]) -> st.SearchStrategy[Words]:
    """What one member may say of a pod; of few things, so that members often agree."""
    report = st.builds(
        Report,
        rule=st.sampled_from(RULES),
        message=st.sampled_from(["a", "b"]),
        since=st.sampled_from(SINCES + odd[:1]),
        until=st.sampled_from([None, None, *ENDS, *odd]),
    )
    reports = st.lists(report, max_size=2, unique_by=lambda r: r.rule).map(tuple)
    return reports.map(
        lambda found: {"u": PodReports(uid="u", namespace="ns", name="p", reports=found)}
    )


@dataclass
class Told:
    """What everybody says. ``lying`` say whatever they like."""

    r: int
    honest: list[Words]
    lying: list[Words]

    @property
    def counted(self) -> dict[tuple[str, Rule, datetime], Report]:
        """What counts, with those that lie first: the order must not matter."""
        found = corroborate([*self.lying, *self.honest], self.r)
        return {(pod.uid, w.rule, w.since): w for pod in found for w in pod.reports}

    def words(self) -> Iterator[tuple[tuple[str, Rule, datetime], list[Report]]]:
        """Honest words by what they are about."""
        by: dict[tuple[str, Rule, datetime], list[Report]] = {}
        for member in self.honest:
            for pod in member.values():
                for report in pod.reports:
                    by.setdefault((pod.uid, report.rule, report.since), []).append(report)
        yield from by.items()


@st.composite
def committees(draw: st.DrawFn) -> Told:
    """A committee of a preset, or of seven with two liars."""
    n, r = draw(st.sampled_from([(5, 1), (6, 1), (7, 2), (1, 0)]))
    liars = draw(st.sampled_from([r, r, r, 0]))
    honest = [draw(said([])) for _ in range(n - liars)]
    return Told(r, honest, [draw(said(ODD)) for _ in range(liars)])


def end(report: Report) -> datetime:
    """When it ended; never, if it holds."""
    return report.until or FOREVER


@pytest.mark.requirement(REQUIREMENT)
@settings(max_examples=120, deadline=None)
@given(committees())
def test_liars_alone_raise_nothing(told: Told) -> None:
    """Whatever counts, somebody honest heard from the pod; it ended no later than they say, and in
    their words or in none."""
    honest = dict(told.words())
    for about, report in told.counted.items():
        assert about in honest
        assert end(report) <= max(map(end, honest[about]))
        assert report.message in {DIFFERENTLY, *(word.message for word in honest[about])}


@pytest.mark.requirement(REQUIREMENT)
@settings(max_examples=120, deadline=None)
@given(committees())
def test_liars_alone_hide_nothing(told: Told) -> None:
    """What r + 1 honest members heard counts: as holding while none of them heard of an end, and
    as ended, at a time that one of them says, once r + 1 did."""
    counted = told.counted
    for about, words in told.words():
        ends = [word.until for word in words if word.until is not None]
        if len(words) > told.r:
            assert about in counted
            if not ends:
                assert counted[about].until is None
        if len(ends) > told.r:
            until = counted[about].until
            assert until is not None
            assert min(ends) <= until <= max(ends)


@settings(max_examples=120, deadline=None)
@given(committees(), st.randoms())
def test_the_order_of_members_changes_nothing(told: Told, random: Random) -> None:
    """The same words come to the same, whoever was read first."""
    members = [*told.honest, *told.lying]
    found = sorted(corroborate(members, told.r), key=lambda pod: (pod.uid, pod.name))
    random.shuffle(members)
    again = sorted(corroborate(members, told.r), key=lambda pod: (pod.uid, pod.name))
    assert found == again


@pytest.mark.requirement(REQUIREMENT)
@settings(max_examples=120, deadline=None)
@given(committees())
def test_a_committee_of_one_is_believed_as_it_speaks(told: Told) -> None:
    """With nobody who may lie, every word counts as it is."""
    (member, *_) = told.honest
    found = {pod.uid: {r.rule: r for r in pod.reports} for pod in corroborate([member], 0)}
    spoken = {uid: {r.rule: r for r in pod.reports} for uid, pod in member.items() if pod.reports}
    assert found == spoken
