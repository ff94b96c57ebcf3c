"""From a scene and its pods to a preview. Pods are judged as they come; none is kept."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from quorate.admission import escape, pods, preview
from quorate.admission.preview import Fate, Foreseen
from quorate.policy.compiled import CompiledPolicy, selects
from quorate.verdict import Denial
from quorate_cli.cluster.kinds import Document
from quorate_cli.explain.policy_lines import policy_line
from quorate_cli.explain.remedies import refusal
from quorate_cli.explain.remedies.context import Context
from quorate_cli.explain.target import Target, target_of
from quorate_cli.policies import selects_model
from quorate_cli.preview.outcome import (
    EXAMPLES_MAX,
    ModelRow,
    NamespaceRow,
    PodsRow,
    Preview,
)
from quorate_cli.preview.scene import ModelBrief, Scene


@dataclass(frozen=True, slots=True)
class Subject:
    """What is previewed: a policy (as it was, as it would be), or namespaces in another mode."""

    text: str
    policy: CompiledPolicy | None = None
    replaced: CompiledPolicy | None = None
    applied: bool = False

    def concerns(self, pod: Document) -> bool:
        """Whether the pod is one that the subject decides about."""
        either = [policy for policy in (self.policy, self.replaced) if policy is not None]
        namespace, labels = pods.namespace(pod), pods.labels(pod)
        return not either or any(
            p.ref.namespace in (None, namespace) and selects(p.spec.selector, labels)
            for p in either
        )


_Group = tuple[str, str, Fate, bool, str, tuple[Denial, ...]]


@dataclass(slots=True)
class _Found:
    """Pods that differ in nothing that is shown."""

    target: Target
    pod: Document
    exempt: bool
    policies: str
    count: int = 0
    examples: list[str] = field(default_factory=list)


class Judge:
    """Takes pods one by one; :meth:`outcome` says what became of them."""

    def __init__(
        self, scene: Scene, subject: Subject, rows: Iterable[NamespaceRow], now: datetime
    ) -> None:
        self._scene, self._subject, self._now = scene, subject, now
        self._rows: Mapping[str, NamespaceRow] = {row.name: row for row in rows}
        self._groups: dict[_Group, _Found] = {}
        for row in self._rows.values():
            row.judged = scene.knows(row.name)

    def add(self, pod: Document) -> None:
        """Judge one pod; finished and terminating ones count for nothing."""
        scene, row = self._scene, self._rows.get(pods.namespace(pod))
        if row is None or escape.is_over(pod, self._now) or not self._subject.concerns(pod):
            return
        row.pods += 1
        if scene.before is None or scene.after is None or not row.judged:
            return
        guarded = row.mode_today == "enforce"
        then = preview.foresee(pod, scene.after, self._now, guarded=guarded)
        newly = row.enforced and then.fate.denies and not self._denied_today(pod, row)
        row.fates[then.fate] = row.fates.get(then.fate, 0) + 1
        row.denied += row.enforced and then.fate.denies
        row.newly += newly
        row.lost += row.enforced and then.fate is Fate.DELETED
        self._group(pod, then, newly)

    def _denied_today(self, pod: Document, row: NamespaceRow) -> bool:
        scene = self._scene
        if row.mode_today != "enforce" or scene.before is None:
            return False
        return preview.foresee(pod, scene.before, self._now, guarded=True).fate.denies

    def _group(self, pod: Document, then: Foreseen, newly: bool) -> None:
        target = target_of(pod)
        workload = f"{target.kind}/{target.name}"
        denials = then.judgement.verdict.denials
        key = (target.namespace, workload, then.fate, newly, pods.model_name(pod), denials)
        found = self._groups.get(key)
        if found is None:
            found = self._groups[key] = _Found(
                target,
                slim(pod),
                then.judgement.exempt,
                then.judgement.selection.names if then.judgement.selection else "",
            )
        found.count += 1
        if len(found.examples) < EXAMPLES_MAX:
            found.examples.append(str(pod["metadata"].get("name", "")))

    def outcome(self) -> Preview:
        """Everything found so far, what is refused first."""
        rows = [self._row(key, found) for key, found in self._groups.items()]
        rows.sort(key=lambda r: (not r.denied, not r.newly, r.namespace, r.workload))
        spaces = tuple(sorted(self._rows.values(), key=lambda row: row.name))
        policy = self._subject.policy
        return Preview(
            subject=self._subject.text,
            policy=policy_line(policy, "yes", {}) if policy else None,
            applied=self._subject.applied,
            namespaces=spaces,
            pods=tuple(rows),
            models=tuple(self._models()),
            denied=sum(row.denied for row in spaces),
            newly_denied=sum(row.newly for row in spaces),
            lost=sum(row.lost for row in spaces),
            gaps=tuple(self._scene.gaps),
        )

    def _row(self, key: _Group, found: _Found) -> PodsRow:
        namespace, workload, fate, newly, model, denials = key
        brief = self._scene.briefs.get((namespace, model))
        context = self._context(namespace, model, brief, found.pod, found.target)
        return PodsRow(
            namespace=namespace,
            workload=workload,
            pods=found.count,
            examples=tuple(found.examples),
            model=model,
            policies=found.policies,
            owner=brief.owner if brief else "",
            fate=str(fate),
            denied=fate.denies and self._rows[namespace].enforced,
            newly=newly,
            exempt=found.exempt,
            refusals=tuple(refusal(denial, context) for denial in denials),
        )

    def _context(
        self,
        namespace: str,
        model: str,
        brief: ModelBrief | None,
        pod: Document | None = None,
        target: Target | None = None,
    ) -> Context:
        labels = pods.labels(pod) if pod else None
        mine = [p for p in self._scene.policies if p.ref.namespace in (None, namespace)]
        chosen = [
            policy
            for policy in mine
            if (
                selects(policy.spec.selector, labels)
                if labels is not None
                else selects_model(policy, model) != "no"
            )
        ]
        return Context(
            namespace=namespace,
            model_name=model,
            target=target,
            pod=pod,
            model=brief.model if brief else None,
            policies=tuple(chosen),
            others=tuple(policy for policy in mine if policy not in chosen),
        )

    def _models(self) -> list[ModelRow]:
        found = []
        for key, brief in sorted(self._scene.briefs.items()):
            row = self._rows.get(brief.namespace)
            if row is None or not row.judged or self._scene.after is None:
                continue
            wanted = self._subject.policy
            meant = tuple(
                policy
                for policy in (self._scene.policies if wanted is None else (wanted,))
                if policy.ref.namespace in (None, brief.namespace)
                and selects_model(policy, brief.name) != "no"
            )
            if not meant:
                continue
            verdict = preview.of_model(self._scene.after.models[key], meant, self._now)
            context = self._context(brief.namespace, brief.name, brief)
            found.append(
                ModelRow(
                    namespace=brief.namespace,
                    name=brief.name,
                    digest=brief.digest,
                    owner=brief.owner,
                    policies=", ".join(str(policy.ref) for policy in meant),
                    allowed=verdict.allowed,
                    refusals=tuple(refusal(denial, context) for denial in verdict.denials),
                )
            )
        return found


def slim(pod: Document) -> Document:
    """The pod without what no remedy looks at."""
    metadata = {k: v for k, v in pod["metadata"].items() if k != "managedFields"}
    return {"metadata": metadata, "spec": pod["spec"]}
