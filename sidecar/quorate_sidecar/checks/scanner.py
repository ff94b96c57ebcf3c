"""One compiled set of patterns for all checks of a policy, and how far it can be sure."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import re2

from quorate.audit.records import CheckResult
from quorate.content.patterns import SPACE, Pattern
from quorate.limits import MIB
from quorate.policy.runtime import Action, CheckRule
from quorate_sidecar.checks import REGISTRY

CANDIDATES_MAX = 10_000
"""Matches of one pattern in one text, findings or not. A text with more is refused: judging each
costs microseconds, and nobody needs to send a million card numbers at once."""

NAMES_KEPT = 1024
NAME_LENGTH = 256
"""Longer texts are no names, and are not remembered."""

SET_MEMORY = 4 * MIB
PATTERN_MEMORY = 1 * MIB
"""Memory for the automata. Hostile text makes them grow to these bounds, then slower, not wrong."""

_SEVERITY = {"deny": 0, "mask": 1, "flag": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found: bytes ``start`` to ``end`` of a text, and what the policy does about it."""

    start: int
    end: int
    check: str
    rule: str
    action: Action
    tail: bytes = b""

    @property
    def order(self) -> tuple[int, int, str, str]:
        """Position first, then the strictest action: what a decision goes by."""
        return (self.start, _SEVERITY[self.action], self.check, self.rule)


@dataclass(slots=True)
class Progress:
    """Where one pattern stands in one text: where it looks next, where its last finding ended, and
    how often it matched."""

    resume: int = 0
    floor: int = 0
    candidates: int = 0


@dataclass(frozen=True, slots=True)
class _Compiled:
    check: str
    action: Action
    pattern: Pattern
    regex: "re2._Regexp"


def _options(memory: int) -> "re2.Options":
    options = re2.Options()
    options.max_mem = memory
    options.encoding = re2.Options.Encoding.LATIN1
    options.never_capture = True
    options.log_errors = False
    return options


class Scanner:
    """The patterns of all enabled checks. Immutable; shared by all requests."""

    def __init__(self, rules: tuple[CheckRule, ...]) -> None:
        """Raises KeyError for a check that does not exist; compiled policies name none such."""
        self._compiled: list[_Compiled] = []
        self._set = re2.Set.SearchSet(_options(SET_MEMORY))
        holds: dict[tuple[bytes, int], int] = {}
        for rule in rules:
            for pattern in REGISTRY[rule.name].patterns:
                regex = re2.compile(pattern.expression, _options(PATTERN_MEMORY))
                self._compiled.append(_Compiled(rule.name, rule.action, pattern, regex))
                self._set.Add(pattern.expression)
                key = (pattern.alphabet, pattern.gaps)
                holds[key] = max(holds.get(key, 0), pattern.length_max)
        # Matches everything, so its absence from a result means that the engine gave up.
        self._canary = self._set.Add(b"")
        self._set.Compile()
        self._holds = tuple((*key, length) for key, length in holds.items())
        self.is_clean = lru_cache(maxsize=NAMES_KEPT)(self._is_clean)
        """True if nothing at all is in a short text. Remembered: names repeat in every request."""
        self.nothing_found = tuple(CheckResult(rule.name, rule.action) for rule in rules)
        """The result of every check that looked and found nothing."""
        self.hold_max = max(holds.values(), default=0)
        """Bytes at the end of an unfinished text that can be undecided, at most."""

    def suspects(self, text: bytes) -> list[int]:
        """Patterns that match somewhere in ``text``: the fast screen, some 2 ns a byte.

        All of them if the engine gave up: each is then searched for on its own.
        """
        # The binding answers None where nothing matched.
        found: list[int] = self._set.Match(text) or []
        if self._canary not in found:
            return list(range(len(self._compiled)))
        found.remove(self._canary)
        return found

    def _is_clean(self, name: str) -> bool:
        return not self.suspects(name.encode())

    def frontier(self, text: bytes) -> int:
        """The first position of an unfinished text at which an undecided match could begin.

        A match that begins at s is decided once the byte after its longest form is there, or
        once a byte is there that it cannot hold.
        """
        size = len(text)
        frontier = size
        for alphabet, gaps, length in self._holds:
            end = size - length
            decided = text.rstrip(alphabet)
            for _ in range(gaps):
                decided = decided.rstrip(SPACE).rstrip(alphabet)
            frontier = min(frontier, max(end, len(decided)))
        return max(frontier, 0)

    def find(self, text: bytes, index: int, progress: Progress, frontier: int) -> Iterable[Finding]:
        """Findings of one pattern that begin before ``frontier``, from where it last stopped."""
        compiled = self._compiled[index]
        pattern = compiled.pattern
        while match := compiled.regex.search(text, progress.resume):
            core, end = match.span()
            start = self._lead(text, pattern, core, progress.floor)
            if start >= frontier:
                break
            progress.candidates += 1
            if progress.candidates > CANDIDATES_MAX:
                yield Finding(start, end, compiled.check, "too-many-candidates", "deny")
                break
            if pattern.accept(text[start:end]):
                progress.resume = progress.floor = end
                yield Finding(
                    start, end, compiled.check, pattern.rule, compiled.action, pattern.tail
                )
            else:
                progress.resume = core + 1

    def _lead(self, text: bytes, pattern: Pattern, core: int, floor: int) -> int:
        """Where a finding begins whose expression matches at ``core``."""
        if not pattern.lead_max:
            return core
        before = text[max(core - pattern.lead_max, floor) : core]
        return core - len(before) + len(before.rstrip(pattern.lead))


@lru_cache(maxsize=8)
def scanner_for(rules: tuple[CheckRule, ...]) -> Scanner:
    """The scanner for a policy's checks; compiling takes milliseconds, so it is kept."""
    return Scanner(rules)
