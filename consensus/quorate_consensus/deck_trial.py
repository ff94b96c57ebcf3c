"""``try-deck``: whether the judges that ship would answer a deck of canaries rightly.

A member whose judges are blind to what the canaries hold loses its vote like a liar; two that are
blind together are one opinion. So this is asked before people commit to a deck, not after.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Final

from quorate.consensus import blank, deck_file, detector
from quorate.consensus import request as requests
from quorate.consensus.blank import SOMEBODY, AskedAs
from quorate.consensus.canary import Canary
from quorate.consensus.deck_file import DECK_BYTES
from quorate.consensus.dependence import DECK_PHI, Pair
from quorate.consensus.request import Request
from quorate.consensus.wire import Verdict
from quorate.risk.score import Signals, assess
from quorate_consensus.judges import release
from quorate_consensus.judges.building import READERS, readers
from quorate_consensus.judges.reader import Reader
from quorate_consensus.judges.sets import SETS
from quorate_consensus.small_file import read_file

COMMAND: Final = "try-deck"


@dataclass(slots=True)
class Trial:
    """How one set of judges did."""

    right: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    highest: float = 0.0
    """The most that its statistic came to, if all others were right."""

    @property
    def is_accused(self) -> bool:
        """Whether a member with these judges would lose its vote."""
        return self.highest >= detector.ALARM


def run(arguments: Sequence[str]) -> int:
    """Print how each set of judges does; 1 if one of them would be accused, or two of them err
    together. Raises QuorateError."""
    parser = argparse.ArgumentParser(
        prog=f"python3 -m quorate_consensus {COMMAND}",
        description="See whether the judges that ship answer a deck of canaries rightly.",
    )
    parser.add_argument("deck", type=Path, help="a deck, as quorate committee deck made it")
    found = parser.parse_args(arguments)
    file = deck_file.parse(read_file(found.deck, DECK_BYTES))
    trials, pairs = tried(file.canaries, readers(release.open_built_in(), tuple(READERS)))
    together = [pair.told(*names) for names, pair in pairs.items() if pair.errs_together(DECK_PHI)]
    sys.stdout.writelines(f"{line}\n" for line in said(trials))
    sys.stdout.writelines(f"ERR TOGETHER: {line}\n" for line in together)
    return int(bool(together) or any(one.is_accused for one in trials.values()))


def tried(
    canaries: Iterable[Canary], judges: Iterable[Reader]
) -> tuple[dict[str, Trial], dict[tuple[str, str], Pair]]:
    """How each set that ships does, by its name, and what each two of them approve wrongly.

    Policies that declare tools are not known here.
    """
    by_name = {judge.identity.name: judge for judge in judges}
    trials = {name: Trial() for name in SETS}
    pairs = {couple: Pair() for couple in combinations(SETS, 2)}
    values: dict[tuple[str, Verdict], float] = {}
    for canary in canaries:
        request = _request(canary)
        denies = {
            name
            for name, judge in by_name.items()
            if judge.read(request).verdict is not Verdict.APPROVE
        }
        wrongs = {
            name: (canary.right is Verdict.APPROVE) is bool(denies & set(chosen))
            for name, chosen in SETS.items()
        }
        if canary.right is Verdict.DENY:
            for one, other in pairs:
                before = pairs[one, other]
                pairs[one, other] = before.plus(first=wrongs[one], second=wrongs[other])
        for name, trial in trials.items():
            wrong = wrongs[name]
            trial.asked[canary.stratum] += 1
            trial.right[canary.stratum] += not wrong
            key = (name, canary.right)
            values[key] = detector.advance(values.get(key, 0.0), wrong=wrong)
            trial.highest = max(trial.highest, values[key])
    return trials, pairs


def said(trials: Mapping[str, Trial]) -> Iterator[str]:
    """For people: of each set how many it got right, by stratum."""
    for name, trial in trials.items():
        strata = ", ".join(
            f"{stratum} {trial.right[stratum]} of {count}"
            for stratum, count in sorted(trial.asked.items())
        )
        verdict = "WOULD LOSE ITS VOTE" if trial.is_accused else "ok"
        yield f"{name}: {verdict}: {strata}"


def _request(canary: Canary) -> Request:
    assessed = assess(Signals(blank.parse(canary.blank).tool), ())
    asked_as = AskedAs(SOMEBODY.principal, assessed.capability, assessed.action_class.value)
    return requests.parse(blank.fill(canary.blank, asked_as))
