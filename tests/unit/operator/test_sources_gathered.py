import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from quorate import limits
from quorate.api.v1alpha1 import AttestedModel
from quorate.api.v1alpha1.document_source import DocumentSource, SourceField, SourceStatus
from quorate.api.v1alpha1.meta import read
from quorate_operator.sources.completion import complete
from quorate_operator.sources.documents import ByteCache, Document, Failed, Read, as_read
from quorate_operator.sources.gathered import (
    Gathered,
    SourceState,
    advance,
    begin,
    fit,
    statuses,
    version,
)
from tests.fakes import vouching
from tests.fakes.vouching import NOW

EVIDENCE = SourceField.EVIDENCE
SOURCE = DocumentSource.model_validate({"name": "gates", "configMap": {"name": "c", "key": "k"}})
AWAY = Failed("RegistryUnavailable", "it is away", fix="wait")
GONE = Failed("NotFound", "it is gone", settled=True)
ONE = as_read([b'{"one": 1}'])
DAY = timedelta(seconds=limits.SOURCE_KEPT)


def state(**details: Any) -> SourceState:
    """A source that was never asked."""
    return SourceState(field=EVIDENCE, source=SOURCE, **details)


def recorded(at: datetime | None = NOW, *digests: str) -> SourceStatus:
    """What a status says of it."""
    return SourceStatus.model_validate(
        {
            "field": EVIDENCE.value,
            "name": "gates",
            "status": "True",
            "reason": "Fetched",
            "fetchedAt": at and at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "documents": [{"digest": digest, "size": 10} for digest in digests],
        }
    )


def status(of: SourceState, was: SourceStatus | None = None) -> SourceStatus:
    """The entry in ``status.sources``."""
    known = {(was.field, was.name): was} if was else {}
    (found,) = statuses(Gathered((of,)), known)
    return found


def test_what_was_read_counts() -> None:
    """Its digests, sizes and time are in the status."""
    after = advance(state(), ONE, None, NOW)
    assert not after.unread
    found = status(after)
    assert (found.status, found.reason) == ("True", "Fetched")
    assert [(d.digest, d.size) for d in found.documents] == [(ONE.documents[0].digest, 10)]
    assert found.fetched_at == "2026-11-21T12:00:00Z"


@pytest.mark.requirement("fault: what a source last held counts while it is away, for a day")
def test_a_source_that_is_away_keeps_what_it_held_for_a_day() -> None:
    """The reason and the remedy are said at once; after a day nothing counts any more."""
    held = advance(state(), ONE, None, NOW)
    away = advance(held, AWAY, None, NOW + DAY - timedelta(seconds=1))
    assert away.documents == ONE.documents
    found = status(away)
    assert (found.status, found.reason) == ("False", "RegistryUnavailable")
    assert "wait" in found.message
    assert advance(away, AWAY, None, NOW + DAY).documents == ()


def test_what_is_known_to_be_gone_counts_no_more() -> None:
    """A source that answers that nothing is there keeps nothing."""
    held = advance(state(), ONE, None, NOW)
    gone = advance(held, GONE, None, NOW)
    assert (gone.documents, gone.unread) == ((), False)
    assert status(gone).status == "False"
    assert advance(held, Read(()), None, NOW).documents == ()


@pytest.mark.requirement("fault: an operator that has just begun revokes nothing it cannot read")
def test_a_source_that_was_read_before_the_start_is_unread_while_it_is_away() -> None:
    """The status says when it was read last; until a day after that nobody judges without it."""
    before = recorded(NOW, ONE.documents[0].digest)
    away = advance(state(), AWAY, before, NOW + timedelta(hours=2))
    assert away.unread
    found = status(away, before)
    assert (found.status, found.reason) == ("Unknown", "RegistryUnavailable")
    assert (found.documents, found.fetched_at) == (before.documents, before.fetched_at)
    # The status may be written anew meanwhile; the time is kept.
    assert advance(away, AWAY, None, NOW + timedelta(hours=3)).unread
    late = advance(away, AWAY, None, NOW + DAY)
    assert (late.unread, late.documents) == (False, ())
    assert not advance(away, ONE, None, NOW + DAY).unread


def test_a_source_that_was_never_read_is_judged_without() -> None:
    """Nothing is kept of it anywhere: the model is denied with a reason, not left open."""
    assert not advance(state(), AWAY, None, NOW).unread
    assert not advance(state(), AWAY, recorded(None), NOW).unread
    assert not advance(state(), GONE, recorded(NOW), NOW).unread


def test_only_unchanged_sources_keep_what_they_held() -> None:
    """A source that now names another place is another source."""
    held = Gathered((advance(state(), ONE, None, NOW),))
    assert begin([(EVIDENCE, SOURCE)], held) == held
    other = SOURCE.model_copy(update={"config_map": SOURCE.config_map, "name": "other"})
    assert begin([(EVIDENCE, other)], held).untried
    assert begin([(SourceField.SIGNATURES, SOURCE)], held).untried
    assert begin([], held) == Gathered()


def test_the_time_moves_seldom_while_nothing_changes() -> None:
    """A status is not written at each reading, but at least once an hour."""
    first = status(advance(state(), ONE, None, NOW))
    soon = advance(state(), ONE, None, NOW + timedelta(minutes=59))
    assert status(soon, first) == first
    later = advance(state(), ONE, None, NOW + timedelta(minutes=60))
    assert status(later, first).fetched_at == "2026-11-21T13:00:00Z"
    other = advance(state(), as_read([b"{}"]), None, NOW + timedelta(minutes=1))
    assert status(other, first).fetched_at == "2026-11-21T12:01:00Z"


def test_documents_are_taken_each_once_and_only_as_objects() -> None:
    """What is no JSON object counts for nothing and spoils nothing."""
    found = as_read([b'{"one": 1}', b'{"one": 1}', b"[]", b"\xff", b"{", b'{"a":1,"A":2}'])
    assert [d.text for d in found.documents] == ['{"one": 1}']
    assert found.skipped == 4
    assert "skipped" in status(advance(state(), found, None, NOW)).message
    assert status(advance(state(), Read((), 2), None, NOW)).reason == "NothingFound"


def documents(count: int, size: int = 4) -> tuple[Document, ...]:
    """So many documents of a length."""
    return tuple(
        Document(f"sha256:{n:064x}", size, json.dumps({"n": n}).ljust(size)) for n in range(count)
    )


@pytest.mark.parametrize(
    ("counts", "inline", "kept"),
    [
        ([32], 0, [32]),
        ([33], 0, [0]),
        ([20, 20], 0, [20, 0]),
        ([20, 12], 0, [20, 12]),
        ([20, 20, 10], 0, [20, 0, 10]),
        ([2], 31, [0]),
    ],
)
def test_a_model_has_room_for_so_many_documents(
    counts: list[int], inline: int, kept: list[int]
) -> None:
    """A source that does not fit is left out as a whole, with a reason."""
    states = [state(unread=False, documents=documents(count)) for count in counts]
    found = fit(states, {EVIDENCE: inline}, limits.FETCHED_BYTES)
    assert [len(s.documents) for s in found.states] == kept
    assert [s.failure is None for s in found.states] == [bool(count) for count in kept]


def test_a_model_has_room_for_so_many_bytes() -> None:
    """Counted as they travel: escaped."""
    states = [state(unread=False, documents=documents(1, 600)) for _ in range(2)]
    assert [len(s.documents) for s in fit(states, {}, 1000).states] == [1, 0]


@pytest.mark.requirement("a fetched document is judged as one inside the object is")
def test_the_model_is_completed_with_what_was_fetched() -> None:
    """Members read it as an AttestedModel; documents that are there already come once."""
    files, owner, producer = vouching.model_files(), vouching.signer(), vouching.signer()
    bundle, gate = vouching.bundle(files, owner), vouching.gate_result(files, producer)
    whole = vouching.attested_model(files, bundles=(bundle,))
    source = {"name": "gates", "configMap": {"name": "c", "key": "k"}}
    whole["spec"] |= {"evidenceFrom": [source], "signaturesFrom": [source]}
    gathered = begin(read(AttestedModel, whole).spec.sources, None)
    unread = read(AttestedModel, complete(whole, gathered))
    assert unread.unread == ("spec.signaturesFrom[gates]", "spec.evidenceFrom[gates]")
    assert read(AttestedModel, whole).unread == unread.unread
    contents = {EVIDENCE: [gate.encode()], SourceField.SIGNATURES: [bundle.encode()]}
    states = [advance(s, as_read(contents[s.field]), None, NOW) for s in gathered.states]
    found = read(AttestedModel, complete(whole, Gathered(tuple(states))))
    assert found.unread == ()
    assert [s.bundle for s in found.spec.signatures] == [bundle]
    assert [e.envelope for e in found.spec.evidence] == [gate]
    assert whole["spec"]["evidence"] == []


def test_a_name_in_the_spec_cannot_displace_a_document() -> None:
    """Whoever writes the spec may guess the name that a fetched document gets."""
    (document,) = ONE.documents
    taken = f"fetched-{document.digest.removeprefix('sha256:')[:40]}"
    declared = {"spec": {"evidence": [{"name": taken, "envelope": "{}"}]}}
    gathered = Gathered((state(unread=False, documents=ONE.documents),))
    entries = complete(declared, gathered)["spec"]["evidence"]
    assert [e["envelope"] for e in entries] == ["{}", document.text]
    assert len({e["name"] for e in entries}) == 2


def test_a_version_stands_for_a_set() -> None:
    """Order and repetition do not matter; nothing is the empty version."""
    assert version(["a", "b"]) == version(["b", "a", "a"]) != version(["a"])
    assert version([]) == ""


def test_the_cache_is_bounded() -> None:
    """The least lately used goes first; what is larger than all of it is not kept."""
    cache = ByteCache(10)
    cache.put("a", b"12345")
    cache.put("b", b"12345")
    assert cache.get("a") == b"12345"
    cache.put("c", b"123")
    assert (cache.get("b"), cache.get("a"), cache.get("c")) == (None, b"12345", b"123")
    cache.put("d", b"x" * 11)
    assert cache.get("d") is None
    assert cache.bytes <= 10
