"""What the model says of a request's texts."""

import math
from typing import Final

from quorate.consensus.excerpt import Origin, values
from quorate.consensus.request import Request
from quorate.consensus.wire import SCORE_MAX, Verdict
from quorate_consensus.judges.by_origin import by_origin
from quorate_consensus.judges.opinion import Identity, Opinion
from quorate_features.linear import Linear

NAME: Final = "classifier"
VERSION: Final = 1
REASONS: Final = {
    Origin.USER: "UserTextSuspicious",
    Origin.TOOL_RESULT: "ResultSuspicious",
    Origin.ARGUMENTS: "ArgumentsSuspicious",
}
"""What it reads, and its word for each. The system's own instructions are not judged: they speak of
rules and of ignoring them as a matter of course."""
WORDS_MIN: Final = 5
"""Of the arguments it reads texts: what it learned from says nothing of paths and addresses."""


class ClassifierJudge:
    """Denies suspicious texts, never hard: a score is no rule."""

    def __init__(self, model: Linear, artefact: str) -> None:
        self._model = model
        self.identity = Identity(NAME, VERSION, artefact)

    def read(self, request: Request) -> Opinion:
        """What the model says. The score is 500 at the threshold."""
        texts = by_origin(request)
        texts[Origin.ARGUMENTS] = "\n".join(filter(_is_prose, values(request.arguments)))
        margins = {
            origin: self._model.suspicion(texts[origin]) for origin in REASONS if texts.get(origin)
        }
        threshold = self._model.threshold
        denied = [origin for origin, margin in margins.items() if margin >= threshold]
        highest = max(margins.values(), default=-math.inf) - threshold
        return Opinion(
            verdict=Verdict.DENY if denied else Verdict.APPROVE,
            score=_score(highest),
            reasons=tuple(REASONS[origin] for origin in denied),
        )


def _score(above: float) -> int:
    return round(SCORE_MAX / (1 + math.exp(-min(30.0, max(-30.0, above)))))


def _is_prose(value: str) -> bool:
    return len(value.split()) >= WORDS_MIN
