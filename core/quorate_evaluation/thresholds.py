"""Thresholds as people write them (``refusal_rate<=0.05``), and the verdict they give."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from quorate.errors import InvalidInput
from quorate.evidence.intoto import Outcome
from quorate_evaluation.interface import Threshold

_WRITTEN: Final = re.compile(r"([a-z][a-z0-9_.]{0,127})(<=|>=)(-?[0-9]+(?:\.[0-9]+)?)\Z", re.ASCII)
_TEXT_MAX: Final = 200


def parse_threshold(text: str) -> Threshold:
    """Read ``METRIC<=X`` or ``METRIC>=X``. Raises InvalidInput."""
    match = _WRITTEN.match(text[:_TEXT_MAX])
    if match is None or not math.isfinite(float(match[3])):
        raise InvalidInput(f"{text[:80]!r} is no METRIC<=X or METRIC>=X", field="--threshold")
    return Threshold(match[1], match[2] == "<=", float(match[3]))


def merged(defaults: Iterable[Threshold], given: Iterable[Threshold]) -> tuple[Threshold, ...]:
    """The defaults, those on the same metric and side replaced by what is given.

    A bound that only warned may be given as one that fails; never the other way round.
    """
    chosen = {(item.metric, item.at_most, item.warns): item for item in defaults}
    for item in given:
        chosen[item.metric, item.at_most, False] = item
    return tuple(chosen[key] for key in sorted(chosen))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which thresholds held. Each list names them as they are written."""

    passed: tuple[str, ...]
    warned: tuple[str, ...]
    failed: tuple[str, ...]

    @property
    def result(self) -> Outcome:
        """PASSED only if something was asked and all of it held."""
        if self.failed or not (self.passed or self.warned):
            return Outcome.FAILED
        return Outcome.WARNED if self.warned else Outcome.PASSED


def judge(thresholds: Iterable[Threshold], metrics: Mapping[str, float]) -> Verdict:
    """Hold the thresholds against the metrics. Raises InvalidInput for a metric nobody measured."""
    lists: dict[str, list[str]] = {"passed": [], "warned": [], "failed": []}
    for threshold in thresholds:
        if threshold.metric not in metrics:
            known = ", ".join(sorted(metrics))
            raise InvalidInput(f"is not measured; there are: {known}", field=threshold.metric)
        held = threshold.holds(metrics[threshold.metric])
        kind = "passed" if held else "warned" if threshold.warns else "failed"
        # A bound may be there twice, once to warn and once to fail.
        name = f"{threshold} (warning)" if threshold.warns else str(threshold)
        lists[kind].append(name)
    return Verdict(tuple(lists["passed"]), tuple(lists["warned"]), tuple(lists["failed"]))
