"""Exceptions never widen: any set of them lifts what it names, one by one, and nothing else."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.api.v1alpha1 import AttestedModel, ClusterSafetyPolicy, SafetyException
from quorate.api.v1alpha1.meta import read
from quorate.errors import QuorateError
from quorate.evidence.intoto import Outcome
from quorate.policy.compiled import compile_policy
from quorate.policy.evaluate import Evaluation, evaluate
from quorate.policy.exceptions import lift, lifted
from quorate.verdict import Reason
from tests.fakes.exceptions import approvers, exception
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

OWNER, SECOND, LAB, CHIEF, DEPUTY, STRANGER = (signer() for _ in range(6))
FILES = model_files()
WORKLOAD = ("team-a", "demo", FILES.digest)
GATES = ("red-team", "bias")
FLOOR = compile_policy(
    read(
        ClusterSafetyPolicy,
        policy(
            {
                "model": {
                    "signers": signers(OWNER, SECOND, threshold=2),
                    "gates": [gate(LAB, name=name) for name in GATES],
                },
                "exceptions": approvers(CHIEF, DEPUTY, threshold=2),
            }
        ),
    )
)
MODELS = [
    read(AttestedModel, attested_model(FILES, bundles=bundles, gates=gates))
    for bundles in ((), (bundle(FILES, OWNER),), (bundle(FILES, OWNER), bundle(FILES, SECOND)))
    for gates in ((), (gate_result(FILES, LAB),), (gate_result(FILES, LAB, result=Outcome.FAILED),))
]
LIFTS = {"Gate/red-team": "Gate/red-team", "Gate/bias": "Gate/bias", "SignerThreshold": "Signed"}


def _variants() -> list[SafetyException]:
    documents = []
    for requirement in (*LIFTS, "Connect", "EphemeralContainers"):
        both = (CHIEF, DEPUTY)
        signed = (both, (CHIEF,), (CHIEF, STRANGER))
        documents += [exception(requirement, *keys) for keys in signed]
        documents.append(exception(requirement, *both, policy="other"))
        documents.append(exception(requirement, *both, namespace="team-a"))
        documents.append(exception(requirement, *both, workload={"model": "other"}))
    return [read(SafetyException, document) for document in documents]


VARIANTS = _variants()


def denied(evaluation: Evaluation) -> dict[str, Reason]:
    """Requirements that do not hold, and why."""
    return {r.name: r.denial.reason for r in evaluation.requirements if r.denial is not None}


@pytest.mark.requirement("two exceptions never widen")
@settings(max_examples=60, deadline=None)
@given(
    chosen=st.lists(st.sampled_from(VARIANTS), max_size=6),
    model=st.sampled_from(MODELS),
)
def test_a_set_lifts_no_more_than_its_members_one_by_one(
    chosen: list[SafetyException], model: AttestedModel
) -> None:
    """What all lift together is the union of what each does alone, and each lifts what it names."""
    before = denied(evaluate(FLOOR, model, NOW))
    together = lifted(chosen, FLOOR, WORKLOAD, "cluster-1", NOW)
    after = denied(evaluate(FLOOR, model, NOW, lifted=together))
    assert after.items() <= before.items()
    alone: set[str] = set()
    for one in chosen:
        what = lifted([one], FLOOR, WORKLOAD, "cluster-1", NOW)
        gone = before.keys() - denied(evaluate(FLOOR, model, NOW, lifted=what)).keys()
        assert gone <= {LIFTS.get(one.spec.requirement, "")}
        alone |= gone
    assert before.keys() - after.keys() == alone
    assert Reason.GATE_FAILED not in {before[name] for name in alone}


APPROVED = exception("Gate/bias", CHIEF, DEPUTY)
"""Made once: signatures differ in length from one signing to the next."""


@pytest.mark.requirement("a stolen operator token cannot invent an exception")
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_no_changed_byte_of_an_approval_counts(data: st.DataObject) -> None:
    """Whatever is relayed instead: nothing is lifted, or exactly what was approved."""
    document: Any = copy.deepcopy(APPROVED)
    text = document["spec"]["approval"]
    good = lift(read(SafetyException, document), FLOOR, "cluster-1", NOW)
    at = data.draw(st.integers(0, len(text) - 1))
    put = data.draw(st.characters(min_codepoint=32, max_codepoint=126))
    document["spec"]["approval"] = text[:at] + put + text[at + 1 :]
    try:
        found = lift(read(SafetyException, document), FLOOR, "cluster-1", NOW)
    except QuorateError:
        return
    assert (found.requirement, found.not_after) == (good.requirement, good.not_after)
    assert found.approvers == good.approvers
