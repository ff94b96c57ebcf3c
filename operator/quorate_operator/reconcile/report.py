"""What to do about what a pod reports of itself. Pure.

A report is the word of a pod's own containers, and of whoever stole their token. So it is believed
about that pod alone, and leads to nothing worse than that pod being deleted and admitted again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from quorate.alerts import ENDS, Rule
from quorate.api.v1alpha1.meta import Owners
from quorate_io.member_api import PodReports, Report
from quorate_operator.kinds import POD, Key
from quorate_operator.known_pods import KnownPod
from quorate_operator.reconcile.actions import DeletePod, RaiseAlert, Target
from quorate_operator.reconcile.texts import clipped, timestamp

ENDED_MAX = timedelta(minutes=10)
"""What ended longer ago is no news: it was read before this process started."""

CLOSED_MAX = timedelta(hours=1)
"""What ended longer ago was closed, or is left to people."""


@dataclass(frozen=True, slots=True)
class SeenPod:
    """The pod a report is about, as the API server has it."""

    pod: KnownPod
    protected: bool
    owners: Owners | None


@dataclass(frozen=True, slots=True)
class Planned:
    """What one report leads to. ``delete`` goes with an alert, never without."""

    report: Report
    alert: RaiseAlert
    delete: DeletePod | None


def pod_key(reports: PodReports) -> Key:
    """The key of the pod that reports."""
    return Key(POD.name, reports.namespace, reports.name)


def unbelievable(reports: PodReports, seen: SeenPod | None) -> str:
    """Why nothing is done about a pod's reports; empty if something may be."""
    if seen is None or seen.pod.uid != reports.uid:
        return "no such pod is known"
    if not seen.protected:
        return "the pod is not protected"
    return ""


def plan_reports(reports: PodReports, seen: SeenPod, now: datetime) -> tuple[Planned, ...]:
    """An alert for each rule that holds or did a moment ago; a foreign listener's pod must go.

    It must go also if the listener was closed again: what it did meanwhile nobody knows.
    """
    target = Target(pod_key(reports), seen.pod.uid, POD.api_version)
    return tuple(
        _plan(report, target, seen)
        for report in reports.reports
        if report.until is None or now - report.until <= ENDED_MAX
    )


def ended_reports(reports: PodReports, seen: SeenPod, now: datetime) -> tuple[Planned, ...]:
    """Reports whose incident is to be closed: what they tell has ended, and is no news any more.

    Not what somebody did to the pod: that its traces are gone is no end of it.
    """
    target = Target(pod_key(reports), seen.pod.uid, POD.api_version)
    return tuple(
        _plan(report, target, seen)
        for report in reports.reports
        if report.rule in ENDS
        and report.until is not None
        and ENDED_MAX < now - report.until <= CLOSED_MAX
    )


def _plan(report: Report, target: Target, seen: SeenPod) -> Planned:
    times = f"since {timestamp(report.since)}"
    if report.until is not None:
        times += f" until {timestamp(report.until)}"
    summary = clipped(f"{target.key} reports, {times}: {report.message}")
    alert = RaiseAlert(report.rule, target, target.key.namespace, summary, seen.owners)
    pod = seen.pod
    must_go = report.rule == Rule.FOREIGN_LISTENER and pod.runs and not pod.terminating
    delete = DeletePod(target, pod.controller or pod.uid, alert) if must_go else None
    return Planned(report, alert, delete)
