"""Objects of the API under arbitrary and mutated input: what is read compiles, or is refused."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.api.v1alpha1 import AttestedModel, ClusterSafetyPolicy, SafetyIncident, SafetyPolicy
from quorate.api.v1alpha1.meta import Resource, read
from quorate.errors import QuorateError
from quorate.policy.compiled import compile_policy
from quorate.policy.evaluate import evaluate
from tests.fakes.vouching import (
    NOW,
    attested_model,
    bundle,
    gate,
    gate_result,
    model_files,
    policy,
    signer,
    signers,
)

KINDS: tuple[type[Resource], ...] = (
    AttestedModel,
    ClusterSafetyPolicy,
    SafetyIncident,
    SafetyPolicy,
)
OWNER, LAB = signer(), signer()
FLOOR = policy({"model": {"signers": signers(OWNER), "gates": [gate(LAB)]}})
MODEL = attested_model(
    model_files(), bundles=(bundle(model_files(), OWNER),), gates=(gate_result(model_files(), LAB),)
)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
field_names = st.sampled_from(
    [
        *("apiVersion", "kind", "metadata", "name", "namespace", "uid", "spec", "selector"),
        *("matchLabels", "model", "signers", "threshold", "keys", "gates", "owners", "source"),
    ]
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(field_names, inner, max_size=4),
    max_leaves=12,
)
foreign = st.lists(st.tuples(st.integers(0, 60), json_values), min_size=1, max_size=3)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a JSON document, outermost first."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


def changed(document: Any, changes: list[tuple[int, Any]]) -> Any:
    """A copy of the document with foreign values put into some places."""
    made = copy.deepcopy(document)
    for index, value in changes:
        found = list(places(made))
        holder, key = found[index % len(found)]
        holder[key] = copy.deepcopy(value)
    return made


@pytest.mark.requirement("bad input: property tests for every parser")
@given(json_values)
def test_arbitrary_json_is_no_object(document: Any) -> None:
    """No kind takes it, and none crashes over it."""
    for kind in KINDS:
        with pytest.raises(QuorateError):
            read(kind, document)


@pytest.mark.requirement("bad input: property tests for every parser")
@given(foreign)
@settings(max_examples=200)
def test_policies_with_foreign_values_compile_or_are_refused(
    changes: list[tuple[int, Any]],
) -> None:
    """A policy that is read asks for nothing less than what it says, or does not compile."""
    document = changed(FLOOR, changes)
    try:
        compiled = compile_policy(read(ClusterSafetyPolicy, document))
    except QuorateError:
        return
    asked = document["spec"].get("model") or {}
    assert (compiled.signers is not None) is bool(asked.get("signers"))
    assert len(compiled.gates) == len(asked.get("gates") or ())


@pytest.mark.requirement("bad input: property tests for every parser")
@given(foreign)
@settings(max_examples=200)
def test_models_with_foreign_values_hold_only_what_was_signed(
    changes: list[tuple[int, Any]],
) -> None:
    """However its object is changed, a model holds the policy only with the signed digest."""
    compiled = compile_policy(read(ClusterSafetyPolicy, FLOOR))
    try:
        model = read(AttestedModel, changed(MODEL, changes))
    except QuorateError:
        return
    result = evaluate(compiled, model, NOW)
    if all(requirement.denial is None for requirement in result.requirements):
        assert model.spec.manifest_digest == model_files().digest
