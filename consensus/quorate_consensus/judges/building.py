"""Judges from a release: which ones a member has is its configuration, what they go by is not."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Final

from quorate.errors import InvalidInput
from quorate_consensus.judges.anomaly import AnomalyJudge, read_baseline
from quorate_consensus.judges.classifier import ClassifierJudge
from quorate_consensus.judges.history import HistoryJudge, read_incidents
from quorate_consensus.judges.opinion import Judge
from quorate_consensus.judges.reader import OnThread, Reader
from quorate_consensus.judges.release import Release
from quorate_consensus.judges.rules import RulesJudge, read_rulebook
from quorate_consensus.judges.tools import ToolsJudge, read_table
from quorate_features import linear

DEADLINE_MS: Final = 100
"""Of a judge that reads: what a medium risk's 200 ms leave after network, disk and signatures."""


def _rules(release: Release) -> Reader:
    digest, document = release.document("rules")
    return RulesJudge(read_rulebook(document), digest)


def _tools(release: Release) -> Reader:
    digest, document = release.document("tools")
    return ToolsJudge(read_table(document), digest)


def _classifier(release: Release) -> Reader:
    digest, data = release.artefact("classifier")
    return ClassifierJudge(linear.load(data), digest)


def _anomaly(release: Release) -> Reader:
    digest, document = release.document("anomaly")
    return AnomalyJudge(read_baseline(document), digest)


def _history(release: Release) -> Reader:
    digest, document = release.document("history")
    return HistoryJudge(read_incidents(document), digest)


READERS: Final[Mapping[str, Callable[[Release], Reader]]] = {
    "rules": _rules,
    "classifier": _classifier,
    "anomaly": _anomaly,
    "tools": _tools,
    "history": _history,
}
"""The judges that need a release and nothing else."""


def readers(release: Release, names: Sequence[str]) -> list[Reader]:
    """The named judges. Raises InvalidInput for an unknown name, or an artefact that is no good."""
    unknown = sorted(set(names) - READERS.keys())
    if unknown:
        known = ", ".join(READERS)
        raise InvalidInput(f"{', '.join(unknown)} is none of {known}", field="judges")
    return [READERS[name](release) for name in names]


def on_threads(
    found: Sequence[Reader], workers: Executor, deadline_ms: int = DEADLINE_MS
) -> list[Judge]:
    """Readers as judges of a panel."""
    return [OnThread(reader, workers, deadline_ms) for reader in found]
