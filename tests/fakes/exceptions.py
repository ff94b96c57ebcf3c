"""SafetyExceptions whose approvals are really signed."""

from datetime import datetime, timedelta
from typing import Any

from quorate import names
from quorate.api.v1alpha1.safety_exception import SafetyExceptionSpec
from quorate.evidence import dsse
from quorate.evidence.intoto.approval import Approval, Decision
from quorate.keys import LocalSigner
from quorate.policy import exceptions
from tests.fakes.vouching import NOW, model_files

Document = dict[str, Any]


def exception(
    requirement: str,
    *approvers: LocalSigner,
    decided_at: datetime = NOW - timedelta(hours=1),
    life: timedelta = timedelta(days=1),
    namespace: str = names.NAMESPACE,
    name: str = "late-gate",
    incident: str = "exceptionactive-1",
    **terms: Any,
) -> Document:
    """An exception as the API server gives it; ``terms`` are other fields of its spec."""
    workload = {"namespace": "team-a", "model": "demo", "manifestDigest": model_files().digest}
    spec = {
        "cluster": "cluster-1",
        "policy": "floor",
        "requirement": requirement,
        "workload": workload | terms.pop("workload", {}),
        "reason": "the lab is moving; ticket 42",
    } | terms
    if approvers:
        read = SafetyExceptionSpec.model_validate(spec)
        payload = exceptions.statement(read, approval(read, decided_at, life))
        spec["approval"] = dsse.sign(payload, names.INTOTO_TYPE, list(approvers)).decode()
    return {
        "apiVersion": names.API_VERSION,
        "kind": "SafetyException",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", "generation": 1},
        "spec": spec,
        "status": {"incident": incident},
    }


def approval(spec: SafetyExceptionSpec, decided_at: datetime, life: timedelta) -> Approval:
    """What an approver of these terms says."""
    return Approval(
        decision=Decision.APPROVED,
        reason=spec.reason,
        gates=exceptions.gates(spec),
        namespaces=(spec.workload.namespace,),
        decided_at=decided_at,
        expires_at=decided_at + life,
    )


def approvers(*keys: LocalSigner, threshold: int = 1) -> Document:
    """A policy's ``exceptions``."""
    named = [{"name": f"key-{i}", "publicKey": k.public_key.pem} for i, k in enumerate(keys)]
    return {"threshold": threshold, "keys": named}
