"""What the screen shows, as data: read from the cluster, counted, and nothing kept that is large.

Field names are a promise to programs that read ``--output json``.
"""

from datetime import datetime
from itertools import islice
from typing import Final, TypeVar

import msgspec

from quorate_cli.cluster import kinds
from quorate_cli.cluster.attempt import Unreadable, attempt
from quorate_cli.cluster.components import Component, read_components
from quorate_cli.cluster.kinds import Document
from quorate_cli.cluster.model_summary import ModelSummary, summarise
from quorate_cli.cluster.modes import Modes, read_modes
from quorate_cli.cluster.protected_pods import PodCensus, census
from quorate_cli.cluster.reader import Reader
from quorate_cli.policies import compile_all
from quorate_cli.status.refusals import RecentRefusal, recent_refusals

T = TypeVar("T")
SEVERITIES: Final = ("Critical", "High", "Medium", "Low")
EVENTS_MAX: Final = 2000
"""Events of one namespace looked at."""


class PolicyState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One policy. ``accepted`` is what the operator wrote; empty if it has not looked."""

    ref: str
    compiles: bool
    accepted: str
    message: str = ""


class PodCounts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Pods of enforced namespaces that have not finished."""

    running: int
    gated: int
    starting: int
    exempt: int
    unprotected: int


class OpenIncident(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An incident that nobody has resolved."""

    namespace: str
    name: str
    severity: str
    rule: str
    subject: str
    count: int
    summary: str


class Overview(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The whole screen. What could not be read is in ``gaps`` and empty elsewhere."""

    server_version: str
    components: tuple[Component, ...]
    namespaces: dict[str, list[str]]
    namespaces_of_unknown_mode: list[tuple[str, str]]
    policies: tuple[PolicyState, ...]
    models: tuple[ModelSummary, ...]
    pods: PodCounts | None
    refused: tuple[RecentRefusal, ...]
    incidents: tuple[OpenIncident, ...]
    gaps: tuple[str, ...]


class _Gaps:
    """Remembers what could not be read."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def known(self, found: T | Unreadable, default: T) -> T:
        """What was read; ``default`` if it could not be."""
        if not isinstance(found, Unreadable):
            return found
        self.messages.append(found.message)
        return default


def read_overview(reader: Reader, now: datetime) -> Overview:
    """Read everything the screen shows. Raises Unavailable if no answer comes."""
    gaps = _Gaps()
    version = reader.version()
    documents = gaps.known(attempt(lambda: _policies(reader)), [])
    compiled, broken = compile_all(documents)
    modes = gaps.known(attempt(lambda: read_modes(reader)), Modes())
    models = gaps.known(
        attempt(lambda: [summarise(d, compiled, now) for d in reader.each(kinds.ATTESTED_MODEL)]),
        [],
    )
    pods: PodCensus | Unreadable = attempt(lambda: census(reader, modes.enforced))
    events = gaps.known(attempt(lambda: _events(reader, modes.enforced)), [])
    problems = {policy.ref: policy.message for policy in broken}
    return Overview(
        server_version=version,
        components=tuple(gaps.known(attempt(lambda: read_components(reader)), [])),
        namespaces={mode: sorted(found) for mode, found in modes.by_mode.items()},
        namespaces_of_unknown_mode=modes.unknown,
        policies=tuple(_policy(document, problems) for document in documents),
        models=tuple(sorted(models, key=lambda m: (m.ready == "True", m.namespace, m.name))),
        pods=gaps.known(_counts(pods), None),
        refused=tuple(recent_refusals(events, now)),
        incidents=tuple(gaps.known(attempt(lambda: _incidents(reader)), [])),
        gaps=tuple(dict.fromkeys(gaps.messages)),
    )


def _policies(reader: Reader) -> list[Document]:
    return [
        document
        for kind in (kinds.CLUSTER_SAFETY_POLICY, kinds.SAFETY_POLICY)
        for document in reader.each(kind)
    ]


def _policy(document: Document, problems: dict[str, str]) -> PolicyState:
    metadata = document["metadata"]
    parts = (document.get("kind"), metadata.get("namespace"), metadata.get("name"))
    ref = "/".join(str(part) for part in parts if part)
    conditions = (document.get("status") or {}).get("conditions") or ()
    accepted: Document = next((c for c in conditions if c.get("type") == "Accepted"), {})
    return PolicyState(
        ref=ref,
        compiles=ref not in problems,
        accepted=str(accepted.get("status", "")),
        message=problems.get(ref, ""),
    )


def _counts(counted: PodCensus | Unreadable) -> PodCounts | Unreadable:
    if isinstance(counted, Unreadable):
        return counted
    return PodCounts(
        running=counted.running,
        gated=counted.gated,
        starting=counted.measuring,
        exempt=counted.exempt,
        unprotected=counted.unprotected,
    )


def _events(reader: Reader, namespaces: list[str]) -> list[Document]:
    return [
        event
        for namespace in namespaces
        for event in islice(reader.each(kinds.EVENT, namespace, fields="type=Warning"), EVENTS_MAX)
    ]


def _incidents(reader: Reader) -> list[OpenIncident]:
    found = [
        _incident(document)
        for document in reader.each(kinds.SAFETY_INCIDENT)
        if not (document.get("spec") or {}).get("resolution")
    ]
    order = {severity: index for index, severity in enumerate(SEVERITIES)}
    return sorted(found, key=lambda i: (order.get(i.severity, -1), i.namespace, i.name))


def _incident(document: Document) -> OpenIncident:
    metadata, spec = document["metadata"], document.get("spec") or {}
    subject = spec.get("subject") or {}
    return OpenIncident(
        namespace=str(metadata.get("namespace", "")),
        name=str(metadata["name"]),
        severity=str(spec.get("severity", "")),
        rule=str(spec.get("rule", "")),
        subject=f"{str(subject.get('kind', '')).lower()}/{subject.get('name', '')}",
        count=int((document.get("status") or {}).get("count") or 1),
        summary=str(spec.get("summary", "")),
    )
