"""Asks judges about the sets and counts."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from quorate.consensus.dependence import Pair
from quorate.consensus.request import Request
from quorate.consensus.wire import Verdict
from quorate_consensus.judges.building import READERS, readers
from quorate_consensus.judges.reader import Reader
from quorate_consensus.judges.release import BUILT_IN, FILE_NAME, digest_of_bytes, open_pinned
from quorate_consensus.judges.sets import SETS
from quorate_training.judges.asks import Item
from quorate_training.judges.texts import Split, texts
from tools.judges import sets, splits
from tools.judges.splits import Splits

COUNT: Final = 2_000
GRAM: Final = 8


@dataclass(slots=True)
class Tally:
    """How many of how many were denied."""

    denied: int = 0
    asked: int = 0

    def add(self, denied: bool) -> None:
        """Count one."""
        self.denied += denied
        self.asked += 1


Tallies = dict[str, dict[str, Tally]]
"""By row, then by judge."""


@dataclass(slots=True)
class Figures:
    """Everything the page shows."""

    release: str
    judges: list[str]
    count: int
    strata: dict[str, tuple[dict[str, Tally], dict[str, Tally]]] = field(default_factory=dict)
    """Caught and false alarms, by judge, by ``kind, language``."""
    families: Tallies = field(default_factory=dict)
    together: dict[tuple[str, str], Tally] = field(default_factory=dict)
    """Unsafe requests that both judges of a pair miss."""
    members: dict[tuple[str, str], Pair] = field(default_factory=dict)
    """Those that members with two sets approve, alone and both."""
    splits: Splits = field(default_factory=Splits)
    disguises: dict[str, dict[str, Tally]] = field(default_factory=dict)
    development: dict[tuple[str, bool], dict[str, Tally]] = field(default_factory=dict)
    overlap: int = 0
    micros: dict[str, list[float]] = field(default_factory=dict)
    """CPU of each reading, in microseconds."""


def measure(development: Path | None, count: int = COUNT) -> Figures:
    """Measure the release that comes with the program."""
    release = open_pinned(BUILT_IN, digest_of_bytes((BUILT_IN / FILE_NAME).read_bytes()))
    judges = {reader.identity.name: reader for reader in readers(release, list(READERS))}
    figures = Figures(release.digest, list(judges), count)
    _generated(figures, judges, sets.generated(count))
    figures.splits = splits.measured(judges)
    _disguised(figures, judges)
    if development is not None:
        _development(figures, judges, sets.development(development))
    return figures


def _generated(figures: Figures, judges: dict[str, Reader], items: Sequence[Item]) -> None:
    for name in judges:
        figures.micros[name] = []
    for item in items:
        denied = {name: _denies(figures, name, judge, item) for name, judge in judges.items()}
        stratum = f"{item.kind}, {item.language}"
        caught, alarms = figures.strata.setdefault(
            stratum, (defaultdict(Tally), defaultdict(Tally))
        )
        family = figures.families.setdefault(item.family, defaultdict(Tally))
        for name, answer in denied.items():
            (caught if item.unsafe else alarms)[name].add(answer)
            if item.unsafe:
                family[name].add(answer)
        if item.unsafe:
            for pair in _pairs(list(judges)):
                missed = not any(denied[name] for name in pair)
                figures.together.setdefault(pair, Tally()).add(missed)
            _members(figures, denied)
            family["any"].add(any(denied.values()))
        else:
            alarms["any"].add(any(denied.values()))
    figures.families = {name: rows for name, rows in figures.families.items() if rows}


def _members(figures: Figures, denied: Mapping[str, bool]) -> None:
    """Count which sets approve an unsafe request: those of whose judges none denies."""
    approves = {
        name: not any(denied.get(judge, False) for judge in chosen) for name, chosen in SETS.items()
    }
    for one, other in _pairs(list(SETS)):
        before = figures.members.get((one, other), Pair())
        figures.members[one, other] = before.plus(first=approves[one], second=approves[other])


def _pairs(names: Sequence[str]) -> Iterable[tuple[str, str]]:
    return ((a, b) for at, a in enumerate(names) for b in names[at + 1 :])


def _denies(figures: Figures, name: str, judge: Reader, item: Item) -> bool:
    begin = time.process_time_ns()
    opinion = judge.read(item.request)
    figures.micros[name].append((time.process_time_ns() - begin) / 1_000)
    return opinion.verdict is Verdict.DENY


def _disguised(figures: Figures, judges: dict[str, Reader]) -> None:
    for kind in sets.disguised():
        judge = judges[kind.judge]
        found = [text for text in kind.texts if _finds(judge, kind.ask, [text])]
        rows = figures.disguises.setdefault(kind.judge, {})
        for name, disguise in sets.DISGUISES.items():
            tally = rows.setdefault(name, Tally())
            for text in found:
                tally.add(_finds(judge, kind.ask, disguise(text)))


def _finds(judge: Reader, ask: Callable[[list[str]], Request], parts: list[str]) -> bool:
    return judge.read(ask(parts)).verdict is Verdict.DENY


def _development(
    figures: Figures, judges: dict[str, Reader], items: Sequence[tuple[str, bool, str]]
) -> None:
    trained = {gram for text in texts(5, 6_000, Split.TRAINING) for gram in _grams(text.text)}
    for source, unsafe, text in items:
        rows = figures.development.setdefault((source, unsafe), defaultdict(Tally))
        request = sets.as_request(source, text)
        for name, judge in judges.items():
            rows[name].add(judge.read(request).verdict is Verdict.DENY)
        figures.overlap += not trained.isdisjoint(_grams(text))


def _grams(text: str) -> set[tuple[str, ...]]:
    words = "".join(c if c.isalnum() else " " for c in text.lower()).split()
    return {tuple(words[at : at + GRAM]) for at in range(len(words) - GRAM + 1)}
