"""Findings as lines for people."""

from collections import Counter
from typing import Final

from quorate_cli.doctor.finding import Finding, State
from quorate_cli.layout import NO, NOTICE, UNKNOWN, YES, wrapped

_SIGNS: Final[dict[State, str]] = {"ok": YES, "failed": NO, "notice": NOTICE, "unknown": UNKNOWN}
_TITLES: Final = {
    "ok": "in order",
    "failed": "failed",
    "notice": "to look at",
    "unknown": "unknown",
}
_STEP: Final = "  "


def render(findings: list[Finding], width: int) -> list[str]:
    """One finding a paragraph, with what would mend it, and the counts at the end."""
    lines: list[str] = []
    for finding in findings:
        text = f"{_SIGNS[finding.state]} {finding.check}: {finding.message}"
        lines += wrapped(text, width, rest=_STEP)
        if finding.fix:
            lines += wrapped(f"fix: {finding.fix}", width, first=_STEP * 2, rest=_STEP * 3)
        lines += [f"{_STEP * 2}$ {command}" for command in finding.commands]
    counts: Counter[str] = Counter(finding.state for finding in findings)
    parts = [f"{counts[state]} {title}" for state, title in _TITLES.items() if counts[state]]
    return [*lines, "", ", ".join(parts)]
