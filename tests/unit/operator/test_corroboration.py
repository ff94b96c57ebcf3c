"""What members say of one pod and one rule, and what counts of it with one that may lie."""

from datetime import timedelta

import pytest

from quorate.alerts import Rule
from quorate_io.member_api import PodReports, Report
from quorate_operator.reconcile.corroboration import DIFFERENTLY, Words, corroborate
from tests.fakes.vouching import NOW

AT = {str(minute): NOW + timedelta(minutes=minute) for minute in range(10)}


def words(said: str, message: str = "m", since: str = "0") -> Words:
    """A member's words: ``-`` nothing, ``on`` that it holds, or the minute in which it ended."""
    if said == "-":
        return {}
    until = None if said == "on" else AT[said]
    report = Report(rule=Rule.FOREIGN_LISTENER, message=message, since=AT[since], until=until)
    return {"u": PodReports(uid="u", namespace="ns", name="p", reports=(report,))}


def counted(members: list[Words], liars: int = 1) -> list[Report]:
    """What counts."""
    return [report for pod in corroborate(members, liars) for report in pod.reports]


@pytest.mark.requirement("corroborated reports: r + 1 members must say it")
@pytest.mark.parametrize(
    ("said", "comes_to"),
    [
        ("- - - - -", "-"),
        ("on - - - -", "-"),
        ("on on - - -", "on"),
        ("on on on on 3", "on"),
        ("on on on 3 4", "3"),
        ("on on on on on", "on"),
        ("3 - - - -", "-"),
        ("3 5 - - -", "3"),
        ("3 4 5 9 -", "5"),
        ("0 4 - - -", "0"),
        ("on 3 - - -", "3"),
    ],
)
def test_what_counts(said: str, comes_to: str) -> None:
    """One member is nobody; of two, one is honest. An end that two tell of beats any number that
    still say that it holds, and no one member chooses its time."""
    found = counted([words(one) for one in said.split()])
    if comes_to == "-":
        assert found == []
    else:
        (report,) = found
        assert report.until == (None if comes_to == "on" else AT[comes_to])


def test_words_of_different_episodes_do_not_add_up() -> None:
    """Since when it holds stands in what a pod says: a made-up one has nobody beside it."""
    assert counted([words("on", since="0"), words("on", since="1")]) == []


def test_a_text_that_no_two_say_is_not_shown() -> None:
    """It could be that of a member that lies."""
    assert [r.message for r in counted([words("on", "a"), words("on", "b")])] == [DIFFERENTLY]
    three = [words("on", "a"), words("on", "b"), words("on", "b")]
    assert [r.message for r in counted(three)] == ["b"]


def test_nobody_counts_twice() -> None:
    """A member that says the same rule twice has said it once; another pod's name is another."""
    (pod,) = words("on").values()
    twice = PodReports(uid="u", namespace="ns", name="p", reports=pod.reports * 2)
    assert counted([{"u": twice}]) == []
    renamed = PodReports(uid="u", namespace="other", name="p", reports=pod.reports)
    assert counted([{"u": pod}, {"u": renamed}]) == []
