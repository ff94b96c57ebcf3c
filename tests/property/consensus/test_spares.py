"""Whatever lies where a prepared record is looked for: people sign a replacement, or nothing."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from quorate.canonical import canonical
from quorate.consensus import epoch as epochs
from quorate.consensus import spare as spares
from quorate.consensus.history import History
from quorate.consensus.spare import Spare
from quorate.errors import InvalidInput, QuorateError
from tests.fakes.ballots import Committee, digest, identity

COMMITTEE = Committee(quarantined=("m2",))
HISTORY = History((COMMITTEE.epoch,))
KEYS = [identity().public_key.pem for _ in range(2)]
GOOD = spares.propose(HISTORY, Spare("m5", "rack-5"), KEYS[0])
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [0, 1, 2, 5, None, True, False, "", "m0", "m2", "m5", "m6", digest("9"), [], {}, *KEYS]
)


def paths(document: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a document."""
    inner = document.items() if isinstance(document, dict) else enumerate(document)
    found = [at] if at else []
    for key, value in inner:
        found += paths(value, (*at, key)) if isinstance(value, dict | list) else [(*at, key)]
    return found


def plain() -> Any:
    """The good record as what JSON holds, to be changed."""
    return msgspec.json.decode(canonical(msgspec.to_builtins(GOOD)))


@given(st.sampled_from(paths(plain())), VALUES, st.booleans())
def test_a_changed_record_is_refused_or_replaces_the_liar(
    path: tuple[Any, ...], value: Any, drops: bool
) -> None:
    """What passes has the members, keys and thresholds of before, but for the one seat."""
    document = plain()
    parent = document
    for part in path[:-1]:
        parent = parent[part]
    if drops:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    try:
        record = epochs.parse(canonical(document))
        found = spares.check(HISTORY, record)
    except QuorateError:
        return
    assert found.leaves == "m2"
    before = COMMITTEE.epoch.record
    assert [s for s in record.seats if s != found.joins] == [
        s for s in before.seats if s.name != "m2"
    ]
    assert (record.thresholds, record.admins) == (before.thresholds, before.admins)
    assert (record.policies, record.canaries) == (before.policies, before.canaries)
    assert not found.joins.quarantined


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(
    inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_what_is_no_list_of_spares_is_refused(document: Any) -> None:
    """By the one error that a parser raises."""
    for shape in (document, {"spares": document}):
        try:
            spares.read(shape)
        except InvalidInput:
            continue
