"""What the baseline says of a request."""

from typing import Final

from quorate.consensus.request import Request
from quorate.consensus.wire import SCORE_MAX, Verdict
from quorate_consensus.judges.anomaly.baseline import Baseline
from quorate_consensus.judges.opinion import Identity, Opinion
from quorate_features.conformal import p_value
from quorate_features.population import features, strangeness

NAME: Final = "anomaly"
VERSION: Final = 1
STRANGE: Final = "UnlikeItsClass"
UNKNOWN: Final = "ClassWithoutBaseline"
UNKNOWN_SCORE: Final = 700


class AnomalyJudge:
    """Denies what is stranger than all but ``alpha`` of its action class. Keeps nothing."""

    def __init__(self, baseline: Baseline, artefact: str) -> None:
        self._baseline = baseline
        self.identity = Identity(NAME, VERSION, artefact)

    def read(self, request: Request) -> Opinion:
        """What the baseline says. A class that nobody has seen is strange."""
        population = self._baseline.classes.get(request.action_class)
        if population is None:
            return Opinion(Verdict.DENY, UNKNOWN_SCORE, (UNKNOWN,))
        score = strangeness(features(request), population.middle, population.spread)
        chance = p_value(score, population.scores)
        if chance <= self._baseline.alpha:
            return Opinion(Verdict.DENY, _danger(chance), (STRANGE,))
        return Opinion(Verdict.APPROVE, _danger(chance))


def _danger(chance: float) -> int:
    """Thousandths: 0 for the most ordinary request, near 1000 for one of a kind."""
    return min(SCORE_MAX, round(SCORE_MAX * (1 - chance)))
