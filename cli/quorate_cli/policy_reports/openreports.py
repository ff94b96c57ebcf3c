"""``Report`` and ``ClusterReport`` of ``openreports.io/v1alpha1``.

After the API's own documentation (https://github.com/openreports/reports-api, v0.2.1). A result is
``fail`` where the namespace enforces and ``warn`` where it only reports; ``skip`` is an exempt pod,
``error`` what could not be judged.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from quorate_cli.cluster import kinds
from quorate_cli.cluster.kinds import Document
from quorate_cli.explain.explanation import Refusal
from quorate_cli.preview.outcome import ModelRow, NamespaceRow, PodsRow, Preview

API_VERSION: Final = "openreports.io/v1alpha1"
SOURCE: Final = "quorate"
NAME: Final = "quorate"
RESULTS_MAX: Final = 500
"""Results of one object: it must fit into etcd, and a dashboard reads it whole."""
TEXT_MAX: Final = 1024
_OUTCOMES: Final = ("pass", "fail", "warn", "error", "skip")
_API_VERSIONS: Final = {kind.name.lower(): kind for kind in (*kinds.WORKLOADS, kinds.POD)}
_LABELS: Final = {"app.kubernetes.io/managed-by": "quorate"}


def objects(preview: Preview, now: datetime, *, whole: bool) -> list[Document]:
    """A Report a namespace, or several if it has many results; with ``whole``, a ClusterReport."""
    found: list[Document] = []
    if whole:
        results = [_of_namespace(row, now) for row in preview.namespaces]
        found += _documents("ClusterReport", None, results)
    for row in preview.namespaces:
        found += _documents("Report", row.name, list(_of_everything_in(row, preview, now)))
    return found


def listing(documents: list[Document]) -> Document:
    """The objects as one, which ``kubectl apply`` takes."""
    return {"apiVersion": "v1", "kind": "List", "items": documents}


def _documents(kind: str, namespace: str | None, results: list[Document]) -> Iterator[Document]:
    pages = [results[i : i + RESULTS_MAX] for i in range(0, len(results), RESULTS_MAX)] or [[]]
    for number, page in enumerate(pages, 1):
        metadata: Document = {"name": NAME if number == 1 else f"{NAME}-{number}"}
        if namespace is not None:
            metadata["namespace"] = namespace
        counts = Counter(str(result["result"]) for result in page)
        document = {
            "apiVersion": API_VERSION,
            "kind": kind,
            "metadata": metadata | {"labels": dict(_LABELS)},
            "source": SOURCE,
            "summary": {outcome: counts[outcome] for outcome in _OUTCOMES},
            "results": page,
        }
        if namespace is not None:
            document["scope"] = {"apiVersion": "v1", "kind": "Namespace", "name": namespace}
        yield document


def _of_everything_in(row: NamespaceRow, preview: Preview, now: datetime) -> Iterator[Document]:
    if not row.judged:
        yield _of_namespace(row, now)
    for pods in preview.pods:
        if pods.namespace == row.name:
            yield from _of_pods(pods, row, now)
    for model in preview.models:
        if model.namespace == row.name:
            yield from _of_model(model, row, now)


def _of_pods(row: PodsRow, namespace: NamespaceRow, now: datetime) -> Iterator[Document]:
    kind, _, name = row.workload.partition("/")
    known = _API_VERSIONS.get(kind, kinds.POD)
    subject = {
        "apiVersion": known.api_version,
        "kind": known.name,
        "namespace": row.namespace,
        "name": name,
    }
    facts = {
        "fate": row.fate,
        "pods": str(row.pods),
        "model": row.model,
        "owner": row.owner,
        "mode": namespace.mode,
    }
    if not row.refusals:
        outcome = "skip" if row.exempt else "pass"
        message = "exempt: no model needed" if row.exempt else "every policy holds"
        yield _result(outcome, row.policies, "Admission", message, subject, facts, now)
    for refusal in row.refusals:
        outcome = "fail" if namespace.enforced else "warn"
        yield _refused(outcome, refusal, row.policies, subject, facts, now)


def _of_model(row: ModelRow, namespace: NamespaceRow, now: datetime) -> Iterator[Document]:
    kind = kinds.ATTESTED_MODEL
    subject = {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "namespace": row.namespace,
        "name": row.name,
    }
    facts = {"digest": row.digest, "owner": row.owner, "mode": namespace.mode}
    if row.allowed:
        message = "every policy that may select it holds"
        yield _result("pass", row.policies, "Certified", message, subject, facts, now)
    for refusal in row.refusals:
        outcome = "fail" if namespace.enforced else "warn"
        yield _refused(outcome, refusal, row.policies, subject, facts, now)


def _of_namespace(row: NamespaceRow, now: datetime) -> Document:
    if not row.judged:
        outcome, message = "error", "it may not be read, so nothing in it was judged"
    elif not row.enforced:
        outcome, message = "warn", f"mode {row.mode or 'none'}: nothing is refused, only reported"
    elif row.denied:
        outcome, message = "fail", f"{row.denied} of {row.pods} pods are refused"
    else:
        outcome, message = "pass", f"all {row.pods} pods hold their policies"
    subject = {"apiVersion": "v1", "kind": "Namespace", "name": row.name}
    facts = {"mode": row.mode, "pods": str(row.pods), "refused": str(row.denied)}
    return _result(outcome, "", "NamespaceMode", message, subject, facts, now)


def _refused(
    outcome: str,
    refusal: Refusal,
    policies: str,
    subject: Document,
    facts: dict[str, str],
    now: datetime,
) -> Document:
    policy = refusal.policy or policies
    message = f"{refusal.reason}: {refusal.message}"
    more = facts | {"reason": refusal.reason, "safetyOwner": refusal.owner}
    more["fix"] = " && ".join(refusal.remedy.commands) or refusal.remedy.text
    rule = refusal.requirement or refusal.reason
    return _result(outcome, policy, rule, message, subject, more, now)


def _result(
    outcome: str,
    policy: str,
    rule: str,
    message: str,
    subject: Document,
    facts: dict[str, str],
    now: datetime,
) -> dict[str, Any]:
    severity = {"fail": "high", "error": "high", "warn": "medium"}.get(outcome, "info")
    return {
        "source": SOURCE,
        "policy": policy or SOURCE,
        "rule": rule,
        "category": "AI model admission",
        "severity": severity,
        "result": outcome,
        "scored": outcome in ("pass", "fail"),
        "timestamp": {"seconds": int(now.timestamp()), "nanos": 0},
        "message": message[:TEXT_MAX],
        "properties": {key: value[:TEXT_MAX] for key, value in facts.items() if value},
        "resources": [subject],
    }
