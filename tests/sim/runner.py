"""Many runs on several processes, and what came of them in one report."""

import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tests.sim.plan import draw
from tests.sim.simulation import run
from tests.sim.twins import Counted

CHUNK = 250
SHOWN_CHUNKS = 40
"""How often a line is printed."""
SHOWN_MAX = 20
"""Failing seeds in a report; the first are enough to work with."""


@dataclass(slots=True)
class Report:
    """What is written to ``build/sim.json``. Seconds; ``violations`` counts histories, those of
    ``twins`` apart."""

    first_seed: int
    schedules: int = 0
    violations: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    milliseconds_each: float = 0.0
    facts: int = 0
    asks: int = 0
    approvals_acted_on: int = 0
    epochs: int = 0
    quarantines: int = 0
    freezes: int = 0
    real_keys: int = 0
    committees: Counter[str] = field(default_factory=Counter)
    strategies: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)
    twins: Counted = field(default_factory=Counted)


def run_chunk(first: int, count: int) -> Report:
    """Seeds ``first`` to ``first + count - 1``, one after another."""
    report = Report(first)
    started = time.process_time()
    for seed in range(first, first + count):
        outcome = run(draw(seed))
        plan = outcome.plan
        report.schedules += 1
        report.facts += outcome.facts
        report.asks += outcome.asks
        report.approvals_acted_on += outcome.acted
        report.epochs += outcome.epochs
        report.quarantines += len(outcome.quarantined)
        report.freezes += plan.orders
        report.real_keys += plan.real_keys
        size = plan.thresholds
        report.committees[f"n={size.n} fast={size.fast} strict={size.strict} r={size.r}"] += 1
        report.strategies.update(sorted(plan.strategies.values()) or ["honest"])
        if plan.hostile_collector:
            report.strategies["hostile-collector"] += 1
        if plan.hostile_api:
            report.strategies["hostile-api"] += 1
        report.quarantined.update(plan.strategies[name] for name in outcome.quarantined)
        if outcome.violations:
            report.violations += 1
            more = f" and {len(outcome.violations) - 1} more" if outcome.violations[1:] else ""
            report.failures.append((seed, outcome.violations[0] + more))
    report.cpu_seconds = time.process_time() - started
    return _rounded(report, report.cpu_seconds)


def _merge(whole: Report, part: Report) -> None:
    for name in ("schedules", "violations", "cpu_seconds", "facts", "asks", "approvals_acted_on"):
        setattr(whole, name, getattr(whole, name) + getattr(part, name))
    for name in ("epochs", "quarantines", "freezes", "real_keys"):
        setattr(whole, name, getattr(whole, name) + getattr(part, name))
    whole.committees += part.committees
    whole.strategies += part.strategies
    whole.quarantined += part.quarantined
    whole.failures += part.failures


def run_all(first: int, schedules: int, processes: int) -> Report:
    """All seeds from ``first`` on, in chunks over ``processes``."""
    started = time.monotonic()
    report = Report(first)
    with ProcessPoolExecutor(processes) as pool:
        chunks = [
            pool.submit(run_chunk, start, min(CHUNK, first + schedules - start))
            for start in range(first, first + schedules, CHUNK)
        ]
        for count, chunk in enumerate(as_completed(chunks), start=1):
            _merge(report, chunk.result())
            if count % SHOWN_CHUNKS == 0:
                seconds = time.monotonic() - started
                line = f"{report.schedules} in {seconds:.0f} s, {report.violations} violations\n"
                sys.stderr.write(line)
    report.failures = sorted(report.failures)[:SHOWN_MAX]
    return _rounded(report, time.monotonic() - started)


def _rounded(report: Report, seconds: float) -> Report:
    report.seconds = round(seconds, 1)
    report.cpu_seconds = round(report.cpu_seconds, 1)
    report.milliseconds_each = round(1000 * report.cpu_seconds / max(1, report.schedules), 2)
    return report


def write(report: Report, path: Path) -> None:
    """As JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")


def summary(report: Report) -> str:
    """For people: figures, and how to see each failure again."""
    lines = [
        f"{report.schedules} schedules from seed {report.first_seed} in {report.seconds} s, "
        f"{report.milliseconds_each} ms CPU each: {report.asks} asks, "
        f"{report.approvals_acted_on} approvals acted on, {report.epochs} epochs, "
        f"{report.quarantines} quarantines, {report.violations} violations"
    ]
    lines += [
        f"seed {seed}: {line}\n    python -m tests.sim --seed {seed} --verbose"
        for seed, line in report.failures
    ]
    if report.twins.scenarios:
        lines.append(
            f"{report.twins.scenarios} scenarios of twins: "
            f"{report.twins.approvals_acted_on} approvals acted on, {report.twins.epochs} epochs, "
            f"{report.twins.quarantines} quarantines, {report.twins.violations} violations"
        )
    lines += [
        f"twins {number}: {line}\n    python -m tests.sim --twins {number} --verbose"
        for number, line in report.twins.failures[:SHOWN_MAX]
    ]
    return "\n".join(lines)
