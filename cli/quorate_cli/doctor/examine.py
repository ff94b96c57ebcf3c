"""Runs the checks over a survey. Pure."""

from quorate_cli import exit_codes
from quorate_cli.cluster.attempt import Unreadable
from quorate_cli.doctor.checks import CHECKS
from quorate_cli.doctor.finding import UPGRADE, Finding, failed
from quorate_cli.doctor.survey import Survey


def examine(survey: Survey) -> list[Finding]:
    """Every finding, in the order of the checks.

    What is not there failed; what this user may not read, or what cannot be judged without
    something that is not there, is ``unknown``.
    """
    findings: list[Finding] = []
    told: set[str] = set()
    for check, needs in CHECKS:
        parts = [getattr(survey, need) for need in needs]
        hidden = next((part for part in parts if isinstance(part, Unreadable)), None)
        if hidden is None:
            findings += check(survey)
            continue
        findings.append(_hidden(check.__name__.replace("_", " "), hidden, hidden.message in told))
        told.add(hidden.message)
    return findings


def _hidden(title: str, hidden: Unreadable, told: bool) -> Finding:
    if told:
        return Finding(check=title, state="unknown", message=hidden.message)
    if hidden.absent:
        return failed(title, hidden.message, "install the chart, or run its install Job again",
                      UPGRADE)  # fmt: skip
    return Finding(check=title, state="unknown", message=hidden.message, fix=hidden.fix)


def exit_code(findings: list[Finding]) -> int:
    """1 if something failed; else 3 if something could not be looked at; else 0."""
    states = {finding.state for finding in findings}
    if "failed" in states:
        return exit_codes.DENIED
    return exit_codes.UNREACHABLE if "unknown" in states else exit_codes.OK
