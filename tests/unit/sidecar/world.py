"""A clock, a state and a source of states that a test turns by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from quorate.certificate import PolicyRef
from quorate.errors import Unavailable
from quorate.manifest import Manifest, manifest
from quorate.policy.runtime import RuntimeRules
from quorate.receipt import Receipt, ReceiptPolicy, ReceiptStatement
from quorate.signed_state import PodState, StateDenied

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MODEL = manifest([("config.json", "1" * 64), ("model.safetensors", "2" * 64)])
OTHER = manifest([("config.json", "1" * 64), ("model.safetensors", "3" * 64), ("x.py", "4" * 64)])
RULES = RuntimeRules(8000, ("/health",), None, 1000, 1000, 60, ())


class Hands:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def turn(self, **by: float) -> None:
        self.at += timedelta(**by)

    def monotonic(self) -> float:
        return (self.at - START).total_seconds()


def state(minutes: float = 0, **changes: Any) -> PodState:
    """A state issued ``minutes`` after the start, for ten minutes."""
    issued = START + timedelta(minutes=minutes)
    rules = msgspec.structs.replace(RULES, **changes.pop("rules", {}))
    fields: dict[str, Any] = {
        "rules": rules,
        "manifest_digest": MODEL.digest,
        "policy_digests": ("sha256:" + "7" * 64,),
        "issued_at": issued,
        "expires_at": issued + timedelta(minutes=10),
    }
    return PodState(**{**fields, **changes})


def receipt(minutes: float = 0, life: float = 15, **changes: Any) -> Receipt:
    """A verified receipt issued ``minutes`` after the start."""
    issued = START + timedelta(minutes=minutes)
    policy = ReceiptPolicy(
        PolicyRef("ClusterSafetyPolicy", None, "floor"), "sha256:" + "7" * 64, "sha256:" + "8" * 64
    )
    statement = ReceiptStatement(
        cluster_id="cluster-1",
        epoch="sha256:" + "6" * 64,
        pod_uid="uid-0",
        node_uid="node-uid-1",
        image_digests=("sha256:" + "a" * 64,),
        manifest_digest=MODEL.digest,
        policies=(policy,),
        session_key="key",
        issued_at=issued,
        expires_at=issued + timedelta(minutes=life),
    )
    return Receipt(msgspec.structs.replace(statement, **changes), "sha256:" + "9" * 64)


class Source:
    """Answers what it was given, in turn; the last answer for ever."""

    def __init__(self, *answers: PodState | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.known: Manifest | None = MODEL

    async def state(self, pod_uid: str) -> PodState:
        self.asked.append(pod_uid)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def manifest(self, digest: str) -> Manifest:
        if self.known is None or self.known.digest != digest:
            raise Unavailable("no such manifest")
        return self.known


DENIED = StateDenied("Revoked", "the certificate was revoked")
SILENT = Unavailable("no member answered")
