"""``try-deck``: whether the judges that ship would answer a deck of canaries rightly.

A member whose judges are blind to what the canaries hold loses its vote like a liar. So this is
asked before people commit to a deck, not after.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from quorate.consensus import blank, deck_file, detector
from quorate.consensus import request as requests
from quorate.consensus.blank import SOMEBODY, AskedAs
from quorate.consensus.canary import Canary
from quorate.consensus.deck_file import DECK_BYTES
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
    """Print how each set of judges does; 1 if one of them would be accused. Raises QuorateError."""
    parser = argparse.ArgumentParser(
        prog=f"python3 -m quorate_consensus {COMMAND}",
        description="See whether the judges that ship answer a deck of canaries rightly.",
    )
    parser.add_argument("deck", type=Path, help="a deck, as quorate committee deck made it")
    found = parser.parse_args(arguments)
    file = deck_file.parse(read_file(found.deck, DECK_BYTES))
    trials = tried(file.canaries, readers(release.open_built_in(), tuple(READERS)))
    sys.stdout.writelines(f"{line}\n" for line in said(trials))
    return int(any(one.is_accused for one in trials.values()))


def tried(canaries: Iterable[Canary], judges: Iterable[Reader]) -> dict[str, Trial]:
    """How each set that ships does, by its name. Policies that declare tools are not known here."""
    by_name = {judge.identity.name: judge for judge in judges}
    trials = {name: Trial() for name in SETS}
    values: dict[tuple[str, Verdict], float] = {}
    for canary in canaries:
        request = _request(canary)
        denies = {
            name
            for name, judge in by_name.items()
            if judge.read(request).verdict is not Verdict.APPROVE
        }
        for name, trial in trials.items():
            verdict = Verdict.DENY if denies & set(SETS[name]) else Verdict.APPROVE
            wrong = verdict is not canary.right
            trial.asked[canary.stratum] += 1
            trial.right[canary.stratum] += not wrong
            key = (name, canary.right)
            values[key] = detector.advance(values.get(key, 0.0), wrong=wrong)
            trial.highest = max(trial.highest, values[key])
    return trials


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
