"""What members say that pods reported of themselves, taken together. Pure.

Up to ``liars`` members may say anything, or nothing. So a report counts when one more than that say
it, about the same pod and since the same moment; then an honest one of them heard it from the pod.
That it has ended counts likewise, and then whoever still says that it holds is behind: a pod never
takes back the end of something.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from quorate.alerts import Rule
from quorate_io.member_api import PodReports, Report

DIFFERENTLY = "the members that heard it tell it in different words"
_HOLDS = datetime.max.replace(tzinfo=UTC)
Words = Mapping[str, PodReports]
"""What one member says, by the pods' UIDs."""


class _Pod(NamedTuple):
    uid: str
    namespace: str
    name: str


class _Claim(NamedTuple):
    rule: Rule
    since: datetime


def corroborate(members: Iterable[Words], liars: int) -> Iterator[PodReports]:
    """What counts of the words of different members, pod by pod.

    ``until`` is the latest time at or after which more than ``liars`` members say the end was; so
    neither can liars make an old end look new, nor a new one old.
    """
    said: dict[_Pod, dict[_Claim, list[Report]]] = {}
    for words in members:
        for pod in words.values():
            claims = said.setdefault(_Pod(pod.uid, pod.namespace, pod.name), {})
            # The last word on each rule, whatever a member answers: nobody counts twice.
            for report in {report.rule: report for report in pod.reports}.values():
                if (read := _in_utc(report)) is not None:
                    claims.setdefault(_Claim(read.rule, read.since), []).append(read)
    for (uid, namespace, name), claims in said.items():
        counted = tuple(
            _agreed(reports, liars) for _, reports in sorted(claims.items()) if len(reports) > liars
        )
        if counted:
            yield PodReports(uid=uid, namespace=namespace, name=name, reports=counted)


def _in_utc(report: Report) -> Report | None:
    """None if a time is none of this calendar: somebody wrote it to break whoever reads it."""
    try:
        until = report.until and report.until.astimezone(UTC)
        return msgspec.structs.replace(report, since=report.since.astimezone(UTC), until=until)
    except OverflowError:
        return None


def _agreed(reports: list[Report], liars: int) -> Report:
    ends = [report.until for report in reports if report.until is not None]
    if len(ends) <= liars:
        ends += [_HOLDS] * (len(reports) - len(ends))
    until = sorted(ends, reverse=True)[liars]
    return Report(
        rule=reports[0].rule,
        message=_message(reports, liars),
        since=reports[0].since,
        until=None if until == _HOLDS else until,
    )


def _message(reports: list[Report], liars: int) -> str:
    counts = Counter(report.message for report in reports)
    text, count = max(counts.items(), key=lambda item: (item[1], item[0]))
    return text if count > liars else DIFFERENTLY
