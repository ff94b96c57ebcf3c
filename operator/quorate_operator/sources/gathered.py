"""What is known of a model's sources. Pure.

A source that cannot be read keeps what it last held, for a day: registries are away more often than
evidence is withdrawn, and everything in it is verified again at each certificate. After a start
nothing is held here; then the model is *unread*: nobody judges it, and the committee keeps what it
holds, until the source is read or the day has passed.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from quorate import limits
from quorate.api.v1alpha1.attested_model import AttestedModelStatus
from quorate.api.v1alpha1.document_source import (
    DocumentSource,
    FetchedDocument,
    SourceField,
    SourceStatus,
)
from quorate.api.v1alpha1.safety_policy import SafetyPolicyStatus
from quorate.verdict import Reason
from quorate_operator.reconcile.texts import clipped, timestamp
from quorate_operator.sources.documents import Document, Failed, Read

FETCHED = "Fetched"
EMPTY = "NothingFound"
_KEPT = timedelta(seconds=limits.SOURCE_KEPT)
_COARSE = timedelta(hours=1)
"""``fetchedAt`` moves this seldom while nothing changes: each move writes a status."""
SLOTS = {
    SourceField.SIGNATURES: 16,
    SourceField.EVIDENCE: 32,
    SourceField.SERVERS: limits.SERVER_SIGNERS * limits.DOCUMENTS_PER_SOURCE,
}
"""Documents a model may have in ``spec.signatures`` and ``spec.evidence``, with fetched ones; and
those of a policy's images."""

SourceKey = tuple[SourceField, str]


@dataclass(frozen=True, slots=True)
class SourceState:
    """One source: what it held when it was last read, and what is wrong since then."""

    field: SourceField
    source: DocumentSource
    unread: bool = True
    """Not read by this process, and not known to hold nothing."""
    documents: tuple[Document, ...] = ()
    read_at: datetime | None = None
    skipped: int = 0
    failure: Failed | None = None

    @property
    def key(self) -> SourceKey:
        """How statuses name the source."""
        return self.field, self.source.name


@dataclass(frozen=True, slots=True)
class Gathered:
    """All sources of one model, or of one policy, in the spec's order."""

    states: tuple[SourceState, ...] = ()

    @property
    def unread(self) -> bool:
        """Whether it is not known yet what a source holds: a model must not be judged."""
        return any(state.unread for state in self.states)

    @property
    def untried(self) -> bool:
        """Whether a source was never asked by this process."""
        return any(state.unread and state.failure is None for state in self.states)

    @property
    def failing(self) -> bool:
        """Whether the last reading of a source failed."""
        return any(state.failure is not None for state in self.states)

    @property
    def bytes(self) -> int:
        """Bytes of the documents that are held."""
        return sum(document.size for state in self.states for document in state.documents)

    @property
    def version(self) -> str:
        """A digest of which documents there are; empty if none."""
        return version(d.digest for state in self.states for d in state.documents)


def version(digests: Iterable[str]) -> str:
    """A digest of a set of digests; empty for the empty set."""
    found = sorted(set(digests))
    return hashlib.sha256(" ".join(found).encode()).hexdigest() if found else ""


def begin(
    sources: Sequence[tuple[SourceField, DocumentSource]], previous: Gathered | None
) -> Gathered:
    """The states for these sources: what is known of those that have not changed."""
    known = {(state.field, state.source): state for state in (previous.states if previous else ())}
    return Gathered(tuple(known.get((f, s), SourceState(field=f, source=s)) for f, s in sources))


def advance(
    state: SourceState, result: Read | Failed, recorded: SourceStatus | None, now: datetime
) -> SourceState:
    """The state after a reading. ``recorded`` is what the model's status says of the source."""
    if isinstance(result, Read):
        return SourceState(state.field, state.source, False, result.documents, now, result.skipped)
    if result.settled:
        return SourceState(state.field, state.source, unread=False, failure=result)
    read_at = state.read_at or _recorded_at(recorded)
    if read_at is None and state.field is SourceField.SERVERS:
        # Of one image it may stay unknown: it holds up no other.
        return replace(state, failure=result)
    if read_at is None or now >= read_at + _KEPT:
        return SourceState(state.field, state.source, unread=False, failure=result)
    return replace(state, failure=result, read_at=read_at)


def fit(
    states: Sequence[SourceState], inline: Mapping[SourceField, int], bytes_max: int
) -> Gathered:
    """Leave out sources whose documents do not all fit beside those before them.

    All or nothing: of some of a source's documents nobody could say which are missing.
    """
    used = dict(inline)
    bytes_used = 0
    fitting: list[SourceState] = []
    for state in states:
        count = used.get(state.field, 0) + len(state.documents)
        size = bytes_used + sum(len(json.dumps(document.text)) for document in state.documents)
        if count > SLOTS[state.field] or size > bytes_max:
            fitting.append(replace(state, unread=False, documents=(), failure=_too_much(state)))
            continue
        used[state.field], bytes_used = count, size
        fitting.append(state)
    return Gathered(tuple(fitting))


def recorded_sources(
    status: AttestedModelStatus | SafetyPolicyStatus | None, generation: int
) -> dict[SourceKey, SourceStatus]:
    """What an object's status says of its sources, if it is about this generation."""
    if status is None or status.observed_generation != generation:
        return {}
    return {(source.field, source.name): source for source in status.sources}


def statuses(gathered: Gathered, recorded: Mapping[SourceKey, SourceStatus]) -> list[SourceStatus]:
    """The entries of ``status.sources``."""
    return [_status(state, recorded.get(state.key)) for state in gathered.states]


def _status(state: SourceState, recorded: SourceStatus | None) -> SourceStatus:
    status, reason, message = _words(state)
    if state.unread:
        documents = recorded.documents if recorded else []
        known = _recorded_at(recorded) or state.read_at
        fetched_at = timestamp(known) if known else None
    else:
        documents = [FetchedDocument(digest=d.digest, size=d.size) for d in state.documents]
        fetched_at = _fetched_at(state, documents, recorded)
    return SourceStatus(
        field=state.field,
        name=state.source.name,
        status=status,
        reason=clipped(reason, 128),
        message=clipped(message),
        fetched_at=fetched_at,
        documents=documents,
    )


def _words(state: SourceState) -> tuple[Literal["True", "False", "Unknown"], str, str]:
    failure = state.failure
    if failure is not None:
        fix = f" (fix: {failure.fix})" if failure.fix else ""
        kept = "" if state.unread or not state.documents else "; what it last held still counts"
        status: Literal["False", "Unknown"] = "Unknown" if state.unread else "False"
        return status, failure.reason, f"{failure.message}{kept}{fix}"
    if state.unread:
        return "Unknown", Reason.VERIFICATION_PENDING, "the source is being read"
    if not state.documents:
        skipped = f"; {state.skipped} are no JSON objects" if state.skipped else ""
        return "True", EMPTY, f"no document of the type that is looked for{skipped}"
    skipped = f", {state.skipped} skipped: no JSON objects" if state.skipped else ""
    return "True", FETCHED, f"{len(state.documents)} documents{skipped}"


def _fetched_at(
    state: SourceState, documents: list[FetchedDocument], recorded: SourceStatus | None
) -> str | None:
    if state.read_at is None:
        return None
    known = _recorded_at(recorded)
    same = recorded is not None and recorded.documents == documents
    if same and known is not None and timedelta(0) <= state.read_at - known < _COARSE:
        return timestamp(known)
    return timestamp(state.read_at)


def _recorded_at(recorded: SourceStatus | None) -> datetime | None:
    if recorded is None or recorded.fetched_at is None:
        return None
    try:
        return datetime.fromisoformat(recorded.fetched_at).astimezone(UTC)
    except ValueError:
        return None


def _too_much(state: SourceState) -> Failed:
    what = "statements" if state.field is SourceField.EVIDENCE else "signatures"
    whose = "policy" if state.field is SourceField.SERVERS else "model"
    return Failed(
        "TooManyDocuments",
        f"with it the {whose} has more than {SLOTS[state.field]} {what}, or more than "
        f"{limits.FETCHED_BYTES} bytes of fetched documents",
        fix="remove documents that are no longer needed",
    )
