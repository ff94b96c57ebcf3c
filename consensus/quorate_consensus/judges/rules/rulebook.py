"""The rule file: what it may say, and one compiled form of it.

A condition is CEL over ``request``, the JSON document that is judged. A pattern is RE2 over texts
in their normal form (small letters, one spelling, single blanks), and what they decode to.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
import re2

from quorate import limits
from quorate.cel import Condition, compile_condition
from quorate.consensus.excerpt import Origin
from quorate.consensus.wire import SCORE_MAX
from quorate.errors import InvalidInput, LimitExceeded
from quorate.statements import convert

CONDITIONS_MAX: Final = 64
PATTERNS_MAX: Final = 1_024
EXPRESSION_CHARS: Final = 1_024
SET_MEMORY: Final = 16 * limits.MIB

_Reason = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Za-z0-9]{1,39}\Z")]
_Score = Annotated[int, msgspec.Meta(ge=0, le=SCORE_MAX)]


class _Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``hard`` and ``score`` are of what it finds; only a ``deny`` can be hard."""

    reason: _Reason
    verdict: Literal["deny", "note"]
    score: _Score
    hard: bool


class ConditionRule(_Rule, frozen=True, forbid_unknown_fields=True):
    """Finds a request of which ``when`` is true."""

    when: Annotated[str, msgspec.Meta(max_length=limits.CONDITION_CHARS)]


class PatternRule(_Rule, frozen=True, forbid_unknown_fields=True):
    """Finds a request that holds a match of ``expression`` in a text of one of ``origins``."""

    expression: Annotated[str, msgspec.Meta(min_length=1, max_length=EXPRESSION_CHARS)]
    origins: Annotated[tuple[Origin, ...], msgspec.Meta(min_length=1)]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Annotated[int, msgspec.Meta(ge=1, le=1)]
    conditions: Annotated[tuple[ConditionRule, ...], msgspec.Meta(max_length=CONDITIONS_MAX)]
    patterns: Annotated[tuple[PatternRule, ...], msgspec.Meta(max_length=PATTERNS_MAX)]


@dataclass(frozen=True, slots=True)
class Rulebook:
    """A compiled rule file."""

    conditions: tuple[tuple[Condition, ConditionRule], ...]
    patterns: tuple[PatternRule, ...]
    _set: "re2.Set"
    _canary: int

    def matches(self, text: str) -> list[PatternRule]:
        """The patterns that match somewhere in ``text``.

        Raises LimitExceeded if the engine gave up within its memory.
        """
        # The binding answers None where nothing matched.
        found: list[int] = self._set.Match(text) or []
        if self._canary not in found:
            raise LimitExceeded("the patterns took more memory than they may")
        return [self.patterns[index] for index in found if index != self._canary]


def read_rulebook(document: dict[str, Any]) -> Rulebook:
    """Read and compile a rule file. Raises InvalidInput naming the rule."""
    file = convert(document, _File, "rules")
    for rule in (*file.conditions, *file.patterns):
        if rule.hard and rule.verdict != "deny":
            raise InvalidInput("only a rule that denies is hard", field=f"rules.{rule.reason}")
    conditions = tuple(
        (compile_condition(rule.when, f"rules.{rule.reason}.when", "request"), rule)
        for rule in file.conditions
    )
    compiled, canary = _compile(file.patterns)
    return Rulebook(conditions, file.patterns, compiled, canary)


def _compile(patterns: tuple[PatternRule, ...]) -> tuple["re2.Set", int]:
    options = re2.Options()
    options.max_mem = SET_MEMORY
    options.never_capture = True
    options.log_errors = False
    compiled = re2.Set.SearchSet(options)
    for rule in patterns:
        try:
            compiled.Add(rule.expression)
        except re2.error as error:
            message = f"is no expression: {error}"
            raise InvalidInput(message, field=f"rules.{rule.reason}.expression") from None
    # Matches everything, so its absence from a result means that the engine gave up.
    canary = compiled.Add("")
    compiled.Compile()
    return compiled, canary
