"""A compiled gate: what it asks for, checked against what its predicate type can say."""

from dataclasses import dataclass

from quorate.api.v1alpha1.gate import Gate
from quorate.api.v1alpha1.safety_exception import GATE_PREFIX
from quorate.cel import Condition, compile_condition
from quorate.errors import InvalidInput
from quorate.evidence.intoto import TYPES, PredicateType
from quorate.evidence.signatures import SignerSet
from quorate.policy.accepted_signers import signer_set


@dataclass(frozen=True, slots=True)
class CompiledGate:
    """A gate with its producers' keys read and its conditions compiled."""

    spec: Gate
    producers: SignerSet
    applies_to: Condition | None = None
    condition: Condition | None = None

    @property
    def requirement(self) -> str:
        """Name of the requirement in conditions and denials."""
        return f"{GATE_PREFIX}{self.spec.name}"

    @property
    def type(self) -> PredicateType:
        """What is known of its predicate type."""
        return TYPES[self.spec.predicate_type]


def compile_gate(gate: Gate, where: str) -> CompiledGate:
    """Check what the schema cannot say; InvalidInput names the field, below ``where``."""
    _check_type(gate, where)
    return CompiledGate(
        spec=gate,
        producers=signer_set(gate.producers, where),
        applies_to=_condition(gate.applies_to, f"{where}.appliesTo"),
        condition=_condition(gate.condition, f"{where}.condition"),
    )


def _condition(text: str, where: str) -> Condition | None:
    return compile_condition(text, where) if text else None


def _check_type(gate: Gate, where: str) -> None:
    # The schema says the same; policies also come from files and from before an upgrade.
    kind = TYPES[gate.predicate_type]
    what = f"a {kind.title}"
    for field, values, has in (
        ("suites", gate.suites, kind.suites),
        ("datasets", gate.datasets, kind.dataset),
        ("harnesses", gate.harnesses, kind.harness),
    ):
        if values and not has:
            raise InvalidInput(
                f"must be empty: a {kind.title} names none", field=f"{where}.{field}"
            )
    if kind.needs_suites and not gate.suites:
        raise InvalidInput(f"must be set for {what}", field=f"{where}.suites")
    if kind.needs_condition and not gate.condition:
        raise InvalidInput(f"must be set for {what}", field=f"{where}.condition")
    if kind.draft and not gate.accept_draft:
        raise InvalidInput(
            f"must be true: the format of {what} is a draft", field=f"{where}.acceptDraft"
        )
