"""Policies: which compile, which select a pod, and for those that do not, by which label."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from quorate import names
from quorate.admission.snapshot import BrokenPolicy
from quorate.api.v1alpha1 import ClusterSafetyPolicy, SafetyPolicy
from quorate.api.v1alpha1.meta import read
from quorate.api.v1alpha1.safety_policy import AnyPolicy, LabelSelector
from quorate.errors import QuorateError
from quorate.policy.compiled import CompiledPolicy, compile_policy, may_select, selects
from quorate_cli.cluster.kinds import Document

Answer = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Unmet:
    """A term of a selector that a pod's labels do not meet. ``wanted`` are values that would."""

    key: str
    text: str
    state: str = ""
    """How the label is instead."""
    wanted: tuple[str, ...] = ()


def compile_all(
    documents: Iterable[Document],
) -> tuple[list[CompiledPolicy], list[BrokenPolicy]]:
    """Compile each policy, as a store does; what does not compile denies."""
    compiled: list[CompiledPolicy] = []
    broken: list[BrokenPolicy] = []
    for document in documents:
        cluster_wide = document.get("kind") == ClusterSafetyPolicy.kind_name
        kind: type[AnyPolicy] = ClusterSafetyPolicy if cluster_wide else SafetyPolicy
        where = None if cluster_wide else document["metadata"].get("namespace")
        try:
            compiled.append(compile_policy(read(kind, document)))
        except QuorateError as error:
            parts = (kind.kind_name, where, str(document["metadata"]["name"]))
            ref = "/".join(part for part in parts if part)
            broken.append(BrokenPolicy(where, ref, str(error)))
    compiled.sort(key=lambda policy: (policy.ref.kind, policy.ref.name))
    return compiled, sorted(broken, key=lambda policy: policy.ref)


def unmet(selector: LabelSelector, labels: Mapping[str, str]) -> tuple[Unmet, ...]:
    """The terms that these labels do not meet; none exactly if the selector selects them."""
    terms = [
        Unmet(key, f"label {key} must be {value}", _state(labels, key), (value,))
        for key, value in selector.match_labels.items()
        if labels.get(key) != value
    ]
    for part in selector.match_expressions:
        if selects(LabelSelector(match_expressions=[part]), dict(labels)):
            continue
        values = ", ".join(part.values)
        must = {
            "In": f"be one of {values}",
            "NotIn": f"not be one of {values}",
            "Exists": "be present",
            "DoesNotExist": "be absent",
        }[part.operator]
        wanted = tuple(part.values) if part.operator == "In" else ()
        text = f"label {part.key} must {must}"
        terms.append(Unmet(part.key, text, _state(labels, part.key), wanted))
    return tuple(terms)


def _state(labels: Mapping[str, str], key: str) -> str:
    return f"is {labels[key]}" if key in labels else "is absent"


def selects_pod(policy: CompiledPolicy, labels: Mapping[str, str]) -> Answer:
    """Whether a policy selects a pod whose labels are known."""
    return "no" if unmet(policy.spec.selector, labels) else "yes"


def selects_model(policy: CompiledPolicy, model: str) -> Answer:
    """Whether it selects the pods of a model, of which only the model's label is known."""
    if not may_select(policy.spec.selector, model):
        return "no"
    terms = unmet(policy.spec.selector, {names.MODEL_LABEL: model})
    # A term about another label that its absence meets may be unmet by a pod that carries it.
    about = {part.key for part in policy.spec.selector.match_expressions}
    return "unknown" if terms or about - {names.MODEL_LABEL} else "yes"
