"""The chart's presets: how many members, which judges each has, how many may be away at once.

From the thresholds that the core checks and the judge sets that ship, so that the chart, the
genesis and the disruption budget speak of one committee.
"""

import json
from typing import Any

from quorate.consensus import judge_sets
from quorate.consensus.thresholds import PRESETS, Thresholds


def presets() -> dict[str, Any]:
    """By name: members with their judges and failure domains, ``maxUnavailable``, and how many
    may be under ``quarantine`` at once."""
    return {
        name: {
            "members": _members(thresholds),
            "maxUnavailable": _away(thresholds),
            "quarantine": thresholds.r,
        }
        for name, thresholds in PRESETS.items()
    }


def _members(thresholds: Thresholds) -> list[dict[str, str]]:
    """Different judges for each: the shared sets in their order, and who is left has all."""
    different = [name for name in judge_sets.shipped().sets if name != judge_sets.ALL]
    chosen = different if thresholds.n > 1 else []
    judges = [*chosen, judge_sets.ALL][: thresholds.n]
    if len(judges) < thresholds.n:
        raise ValueError(f"{len(judges)} sets of judges for {thresholds.n} members")
    return [
        {"name": f"member-{number}", "judges": name, "failureDomain": f"member-{number}"}
        for number, name in enumerate(judges)
    ]


def _away(thresholds: Thresholds) -> int:
    """As many as leave a strict quorum; one of one, or no node could ever be drained."""
    return max(thresholds.n - thresholds.strict, 1)


def committee_template() -> str:
    """A Helm template of that name: what ``committee.preset`` chooses from, as JSON."""
    text = json.dumps(presets(), indent=1)
    return f"""{{{{- define "quorate.presets" -}}}}
{text}
{{{{- end }}}}
"""
