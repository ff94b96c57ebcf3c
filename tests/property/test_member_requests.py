"""Bodies a member reads, under arbitrary input: an error of ours, or what was sent."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.errors import QuorateError
from quorate_consensus.evaluations import read_question
from quorate_consensus.relay import Relay, ResyncNeeded, read_batch
from quorate_io.member_api import ObjectKey, ObservedBatch, ObservedPod
from tests.fakes.vouching import NOW, attested_model, model_files, policy

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
MODEL, FLOOR = attested_model(model_files()), policy({})


def mangled(document: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The document with one thing, somewhere, replaced by anything."""
    paths = list(_paths(document))

    def replace(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
        copy: dict[str, Any] = json.loads(json.dumps(document))
        inner: Any = copy
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        return copy

    return st.builds(replace, st.sampled_from(paths), JSON)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found: list[tuple[Any, ...]] = []
    for key, inner in items:
        found.append((*path, key))
        if isinstance(inner, dict | list):
            found += _paths(inner, (*path, key))
    return found


def dumped(value: Any) -> bytes:
    """JSON as another program might write it, lone surrogates included."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("reader", [read_question, read_batch])
@given(data=st.binary(max_size=200) | JSON.map(dumped))
def test_any_body_is_refused(reader: Callable[[bytes], Any], data: bytes) -> None:
    """What is not a request is an error of ours."""
    with pytest.raises(QuorateError):
        reader(data)


@given(
    mangled(MODEL) | st.just(MODEL),
    mangled(FLOOR) | st.just(FLOOR),
)
def test_any_object_is_read_or_refused(model: dict[str, Any], floor: dict[str, Any]) -> None:
    """An evaluation of odd objects is an error of ours, or about a model in a namespace."""
    try:
        body = {"policy": floor, "model": model, "issuedAt": NOW.isoformat()}
        compiled, observed, _ = read_question(dumped(body))
    except QuorateError:
        return
    assert observed.namespace
    assert compiled.ref.namespace is None


@given(mangled(MODEL), mangled(FLOOR))
def test_any_relayed_object_is_kept_or_denies(model: dict[str, Any], floor: dict[str, Any]) -> None:
    """One object nobody can read never stops the relay; an identity nobody can read does."""
    body = dumped(
        {
            "session": "s",
            "sequence": 1,
            "reset": True,
            "complete": True,
            "models": [model],
            "policies": [floor],
        }
    )
    try:
        changes = read_batch(body)
    except QuorateError:
        return
    relay = Relay()
    problems = relay.accept(changes, NOW)
    assert relay.current is not None
    assert relay.current.counts() == {"policies": 1, "models": 1, "pods": 0}
    assert (relay.current.broken_for("anywhere") is not None) == any(
        problem.object.startswith("ClusterSafetyPolicy/") for problem in problems
    )


POD = st.builds(
    ObservedPod,
    uid=st.sampled_from("abc"),
    namespace=st.just("team-a"),
    name=st.just("p"),
    labels=st.just({}),
)
CHANGE = st.fixed_dictionaries(
    {
        "pods": st.lists(POD, max_size=2).map(tuple),
        "removed_pods": st.lists(st.sampled_from("abc"), max_size=2).map(tuple),
        "policies": st.lists(st.just(FLOOR), max_size=1).map(tuple),
        "removed": st.lists(
            st.just(ObjectKey(kind="ClusterSafetyPolicy", namespace=None, name="floor")),
            max_size=1,
        ).map(tuple),
    }
)


@given(
    st.lists(CHANGE, min_size=1, max_size=6),
    st.lists(st.sampled_from(["deliver", "lose", "twice", "late"]), min_size=6, max_size=6),
)
def test_whatever_the_network_does_the_picture_is_right_or_refused(
    changes: list[dict[str, Any]], fates: list[str]
) -> None:
    """Lost, doubled and late batches: what a member holds is always a prefix of what was said."""
    batches = [
        ObservedBatch(session="s", sequence=n, reset=n == 1, complete=n == 1, **change)
        for n, change in enumerate(changes, 1)
    ]
    pictures = [_picture(batches[:n]) for n in range(1, len(batches) + 1)]
    relay = Relay()
    for index, (batch, fate) in enumerate(zip(batches, fates, strict=False)):
        sent = {"deliver": [batch], "lose": [], "twice": [batch, batch]}.get(
            fate, [batch, batches[max(index - 2, 0)]]
        )
        for one in sent:
            _deliver(relay, one)
    assert relay.current is None or _held(relay) in pictures


def _deliver(relay: Relay, batch: ObservedBatch) -> None:
    try:
        relay.accept(read_batch(msgspec.json.encode(batch)), NOW)
    except ResyncNeeded:
        return


def _picture(batches: list[ObservedBatch]) -> tuple[set[str], int]:
    relay = Relay()
    for batch in batches:
        _deliver(relay, batch)
    return _held(relay)


def _held(relay: Relay) -> tuple[set[str], int]:
    assert relay.current is not None
    return set(relay.current.pods), relay.current.counts()["policies"]
