"""Denials with the step that would fix them."""

from quorate.api.v1alpha1 import AttestedModel
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.compiled_gate import CompiledGate
from quorate.predicates import PredicateUri
from quorate.verdict import Denial, Reason


def denial(
    policy: CompiledPolicy, requirement: str, reason: Reason, message: str, fix: str
) -> Denial:
    """A denial by ``policy`` and its safety owner."""
    return Denial(
        reason,
        message,
        requirement=requirement,
        policy=str(policy.ref),
        owner=policy.safety_contact,
        fix=fix,
    )


def gate_denial(
    policy: CompiledPolicy, gate: CompiledGate, model: AttestedModel, reason: Reason, message: str
) -> Denial:
    """A denial by a gate; the fix is the command that makes the evidence it asks for."""
    how = {
        PredicateUri.TEST_RESULT: "run the gate again, quorate gate --report REPORT --key KEY",
        PredicateUri.APPROVAL: f"have it approved, quorate approve --gate {gate.spec.name} "
        f"--reason TEXT --key KEY",
    }.get(gate.spec.predicate_type, f"make a new {gate.type.title} and have a producer sign it")
    fix = f"{how}, then add the envelope to {model.ref}.spec.evidence"
    return denial(policy, gate.requirement, reason, message, fix)
