"""The ready policies: each compiles, says when to choose it, and decides as it says."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from quorate.api.v1alpha1 import AttestedModel, ClusterSafetyPolicy
from quorate.api.v1alpha1.meta import read
from quorate.api.v1alpha1.safety_policy import Mode
from quorate.evidence.intoto.test_result import METRICS
from quorate.policy.compiled import CompiledPolicy, compile_policy
from quorate.policy.evaluate import evaluate
from quorate.predicates import PredicateUri as Uri
from quorate.verdict import Reason
from tests.fakes.predicates import predicate
from tests.fakes.vouching import (
    NOW,
    attested_model,
    bundle,
    evidence,
    model_files,
    signer,
    signers,
)

ROOT = Path(__file__).resolve().parents[3] / "examples/policies"
GATES = sorted((ROOT / "gates").glob("*.yaml"))
WHOLE = sorted(ROOT.glob("*.yaml"))
FILES = model_files()
ONE, TWO = signer(), signer()
DIGEST = f"sha256:{'1' * 64}"

NAMES = {
    *("red-team", "bias", "robustness", "privacy", "toxicity", "hallucination-rate"),
    *("over-refusal", "latency"),
}
PASSING: dict[str, dict[str, float]] = {
    "red-team": {"attacks": 200, "attack_success_rate": 0.05},
    "bias": {"pairs": 500, "gap_upper_bound": 0.05},
    "robustness": {"transforms": 8, "worst_accuracy_drop": 0.1},
    "privacy": {"planted_secrets": 50, "leaked_secrets": 0},
    "toxicity": {"answers": 1000, "toxic_rate": 0.01},
    "hallucination-rate": {"questions": 500, "hallucination_rate": 0.05},
    "over-refusal": {"prompts": 200, "refusal_rate": 0.05},
    "latency": {"requests": 500, "latency_p95_ms": 2000},
}


def document(path: Path) -> dict[str, Any]:
    """The policy as people would apply it."""
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return found


def filled_in(path: Path) -> CompiledPolicy:
    """The policy with keys and digests that exist."""
    found = document(path)
    model = found["spec"]["model"]
    if "signers" in model:
        model["signers"] = signers(ONE, TWO, threshold=model["signers"]["threshold"])
    for gate in model["gates"]:
        gate["producers"] = signers(ONE, TWO, threshold=gate["producers"].get("threshold", 1))
        if "suites" in gate:
            gate["suites"] = [DIGEST]
        gate |= {"datasets": [], "harnesses": []}
    return compile_policy(read(ClusterSafetyPolicy, found))


def result(name: str, metrics: dict[str, float] | None) -> str:
    """A test result with these metrics, signed by both."""
    value = predicate(Uri.TEST_RESULT)
    del value[METRICS]
    if metrics is not None:
        value[METRICS] = metrics
    return evidence(FILES, Uri.TEST_RESULT, value, ONE, TWO)


def reasons(policy: CompiledPolicy, *envelopes: str, bundles: tuple[str, ...] = ()) -> list[Reason]:
    model = read(AttestedModel, attested_model(FILES, bundles=bundles, gates=envelopes))
    return [denial.reason for denial in evaluate(policy, model, NOW).verdict.denials]


@pytest.mark.requirement("ready policies compile and hold the schema")
@pytest.mark.parametrize("path", GATES + WHOLE, ids=lambda path: path.stem)
def test_every_policy_compiles(path: Path) -> None:
    """As shipped, with its placeholders, each is a policy; and it says when to choose it."""
    policy = compile_policy(read(ClusterSafetyPolicy, document(path)))
    assert policy.gates
    text = path.read_text("utf-8")
    assert "Choose it" in text
    assert "placeholder" in text


def test_there_is_a_policy_for_every_gate() -> None:
    """Eight gates, a file each, named as the gate."""
    assert {path.stem for path in GATES} == NAMES == set(PASSING)
    for path in GATES:
        [gate] = document(path)["spec"]["model"]["gates"]
        assert gate["name"] == path.stem


@pytest.mark.parametrize("path", GATES, ids=lambda path: path.stem)
def test_a_gate_decides_by_its_metrics(path: Path) -> None:
    """At its bounds it is passed; beyond any, or without any metric, it is not."""
    policy, metrics = filled_in(path), PASSING[path.stem]
    assert reasons(policy, result(path.stem, metrics)) == []
    for name, value in metrics.items():
        for worse in (value - 1, value + 1):
            changed = reasons(policy, result(path.stem, metrics | {name: worse}))
            assert changed in ([], [Reason.GATE_FAILED])
        beyond = [
            reasons(policy, result(path.stem, metrics | {name: worse}))
            for worse in (value - 1, value + 1)
        ]
        assert [Reason.GATE_FAILED] in beyond
        without = {other: held for other, held in metrics.items() if other != name}
        assert reasons(policy, result(path.stem, without)) == [Reason.GATE_FAILED]
    assert reasons(policy, result(path.stem, None)) == [Reason.GATE_FAILED]


def test_starter_refuses_nothing() -> None:
    """It audits, and content checks only flag."""
    spec = filled_in(ROOT / "starter.yaml").spec
    assert spec.mode is Mode.AUDIT
    assert {check.action for check in spec.runtime.checks} == {"flag"}


def test_standard_enforces_what_models_say() -> None:
    """Five gates and a bill of materials; nothing passes without each."""
    policy = filled_in(ROOT / "standard.yaml")
    assert policy.mode is Mode.ENFORCE
    signed = (bundle(FILES, ONE),)
    everything = {metric: value for held in PASSING.values() for metric, value in held.items()}
    bom = evidence(FILES, Uri.CYCLONEDX, predicate(Uri.CYCLONEDX), ONE)
    shown = [result("all", everything), bom]
    assert reasons(policy, *shown, bundles=signed) == []
    assert reasons(policy, bom, bundles=signed) == [Reason.GATE_MISSING] * 5
    assert reasons(policy, shown[0], bundles=signed) == [Reason.GATE_MISSING]


REGULATED: dict[Uri, dict[str, Any]] = {
    Uri.PROVENANCE: {
        "runDetails": {
            "builder": {"id": "https://trainer.example.com/v1"},
            "metadata": {"finishedOn": "2026-11-21T11:00:00Z"},
        }
    },
    Uri.VULNS: {},
    Uri.SPDX_3: {},
    Uri.REFERENCE: {},
    Uri.APPROVAL: {"scope": {"gates": ["approval"]}},
}


@pytest.mark.requirement("regulated: two signers, all gates, a complete record")
def test_regulated_asks_for_everything() -> None:
    """All eight gates by two evaluators, and each part of the record; without any one, denied."""
    policy = filled_in(ROOT / "regulated.yaml")
    assert {gate.spec.name for gate in policy.gates} >= NAMES
    both = (bundle(FILES, ONE), bundle(FILES, TWO))
    everything = {metric: value for held in PASSING.values() for metric, value in held.items()}
    shown = {"gates": result("all", everything)} | {
        kind.name: evidence(FILES, kind, predicate(kind) | changes, ONE, TWO)
        for kind, changes in REGULATED.items()
    }
    assert reasons(policy, *shown.values(), bundles=both) == []
    assert reasons(policy, *shown.values(), bundles=both[:1]) == [Reason.SIGNER_NOT_TRUSTED]
    for left_out in shown:
        rest = [text for name, text in shown.items() if name != left_out]
        assert set(reasons(policy, *rest, bundles=both)) == {Reason.GATE_MISSING}
    shortest = min(gate.spec.max_age_seconds for gate in policy.gates)
    assert timedelta(seconds=shortest) == timedelta(days=7)
