"""From answers to a result: scores, thresholds, and what the evidence says of the run. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from quorate.errors import InvalidInput
from quorate.evidence.intoto import GateRun
from quorate_evaluation.digests import harness_digest, suite_digest
from quorate_evaluation.interface import Metric, Scores, Suite, Threshold
from quorate_evaluation.runner import Answered
from quorate_evaluation.thresholds import Verdict, judge, merged


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A complete run of a suite."""

    suite: Suite
    thresholds: tuple[Threshold, ...]
    scores: Scores
    verdict: Verdict
    run: GateRun

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What the suite measured."""
        return self.scores.metrics


def evaluate(
    suite: Suite,
    answered: Answered,
    given: Iterable[Threshold],
    *,
    seed: int,
    started_at: datetime,
    finished_at: datetime,
) -> Evaluation:
    """Score the answers and hold the thresholds against them.

    Raises InvalidInput for a threshold on what is not measured, or if the answers say too little.
    """
    thresholds = merged(suite.thresholds, given)
    scores = suite.score(answered.answers, seed)
    measured = scores.flat()
    verdict = judge(thresholds, measured)
    about_run = {
        "run.cases": float(answered.done),
        "run.unanswered": float(answered.errors.total()),
        "run.requests": float(answered.requests),
        "run.seed": float(seed),
    }
    if clash := sorted(set(measured) & set(about_run)):
        raise InvalidInput("is the runner's own", field=f"metric {clash[0]}")
    return Evaluation(
        suite,
        thresholds,
        scores,
        verdict,
        GateRun(
            result=verdict.result,
            suite=suite_digest(suite, thresholds),
            dataset=suite.dataset_digest,
            harness=harness_digest(),
            started_at=started_at,
            finished_at=finished_at,
            passed_tests=verdict.passed,
            warned_tests=verdict.warned,
            failed_tests=verdict.failed,
            metrics=measured | about_run,
        ),
    )
