"""The report as JSON: what ``quorate gate --report`` signs, and ``details`` for people."""

import json
from typing import Any, Final

from quorate.evidence.intoto.timestamps import format_utc
from quorate_evaluation.evaluation import Evaluation

HARNESS_NAME: Final = "quorate"
FINDINGS_MAX: Final = 200


def document(evaluation: Evaluation, about: dict[str, str]) -> dict[str, Any]:
    """The report's values. ``about`` says what was asked, for people: endpoint, model."""
    run, suite = evaluation.run, evaluation.suite
    started = run.started_at or run.finished_at
    return {
        "suite": _named(suite.name, run.suite),
        "dataset": _named(suite.name, run.dataset),
        "harness": _named(HARNESS_NAME, run.harness),
        "startedAt": format_utc(started),
        "finishedAt": format_utc(run.finished_at),
        "result": run.result.value,
        "passedTests": list(run.passed_tests),
        "warnedTests": list(run.warned_tests),
        "failedTests": list(run.failed_tests),
        "metrics": dict(run.metrics),
        "details": {
            **about,
            "summary": suite.summary,
            "findings": [
                {"case": case, "found": text}
                for case, text in evaluation.scores.findings[:FINDINGS_MAX]
            ],
            "findingsInAll": len(evaluation.scores.findings),
        },
    }


def encoded(report: dict[str, Any]) -> bytes:
    """The report as a file."""
    return (json.dumps(report, indent=2, ensure_ascii=False) + "\n").encode()


def _named(name: str, digest: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}
