"""What the rules say of a request."""

from collections.abc import Iterator
from typing import Final

from quorate.cel import ConditionError
from quorate.consensus.request import Request
from quorate.consensus.wire import REASONS_MAX, SCORE_MAX, Verdict
from quorate.errors import LimitExceeded
from quorate.text import views
from quorate_consensus.judges.by_origin import by_origin
from quorate_consensus.judges.opinion import Identity, Opinion
from quorate_consensus.judges.rules.rulebook import ConditionRule, PatternRule, Rulebook

NAME: Final = "rules"
VERSION: Final = 1
UNDECIDED: Final = "RuleUndecided"
"""A rule has no answer for this request, or none within its budget: nobody knows, so no."""


class RulesJudge:
    """Denies what a rule finds that denies. A :class:`quorate_consensus.judges.reader.Reader`."""

    def __init__(self, rulebook: Rulebook, artefact: str) -> None:
        self._rulebook = rulebook
        self.identity = Identity(NAME, VERSION, artefact)

    def read(self, request: Request) -> Opinion:
        """What the rules say."""
        try:
            found = [*self._conditions(request), *self._patterns(request)]
        except (ConditionError, LimitExceeded):
            return Opinion(Verdict.DENY, SCORE_MAX, (UNDECIDED,))
        denying = [rule for rule in found if rule.verdict == "deny"]
        ranked = sorted(found, key=lambda rule: (rule.verdict, not rule.hard, -rule.score))
        reasons = tuple(dict.fromkeys(rule.reason for rule in ranked))[:REASONS_MAX]
        return Opinion(
            verdict=Verdict.DENY if denying else Verdict.APPROVE,
            score=max((rule.score for rule in found), default=0),
            reasons=reasons,
            hard=any(rule.hard for rule in denying),
        )

    def _conditions(self, request: Request) -> Iterator[ConditionRule]:
        document = request.document
        for condition, rule in self._rulebook.conditions:
            if condition.holds(document):
                yield rule

    def _patterns(self, request: Request) -> Iterator[PatternRule]:
        for origin, text in by_origin(request).items():
            for view in views(text):
                for rule in self._rulebook.matches(view):
                    if origin in rule.origins:
                        yield rule
