"""A sidecar's side of receipts: a session key, and signed requests."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from quorate import receipt
from quorate.certificate import PolicyRef
from quorate.keys import LocalSigner
from quorate.receipt import ReceiptPolicy, ReceiptStatement, RequestStatement
from tests.fakes.vouching import NOW, SERVER_DIGEST, member_signer, model_files

POD_UID = "pod-uid-1"
EPOCH = f"sha256:{'6' * 64}"
"""Nobody's: a test that verifies names its own."""
FILES = model_files()


def request_statement(key: LocalSigner, now: datetime = NOW, **changes: Any) -> RequestStatement:
    """What a sidecar of the pod asks, with parts replaced."""
    asked = RequestStatement(
        cluster_id="cluster-1",
        pod_uid=POD_UID,
        manifest_digest=FILES.digest,
        session_key=key.public_key.pem,
        issued_at=now,
        expires_at=now + timedelta(seconds=60),
    )
    return msgspec.structs.replace(asked, **changes)


def request(key: LocalSigner, now: datetime = NOW, **changes: Any) -> bytes:
    """A request as it is sent."""
    return receipt.request(request_statement(key, now, **changes), key)


def receipt_statement(key: LocalSigner, now: datetime = NOW, **changes: Any) -> ReceiptStatement:
    """A receipt of the pod for this session key, with parts replaced."""
    policy = ReceiptPolicy(
        PolicyRef("ClusterSafetyPolicy", None, "floor"), f"sha256:{'7' * 64}", f"sha256:{'8' * 64}"
    )
    statement = ReceiptStatement(
        cluster_id="cluster-1",
        epoch=EPOCH,
        pod_uid=POD_UID,
        node_uid="node-uid-1",
        image_digests=(SERVER_DIGEST,),
        manifest_digest=FILES.digest,
        policies=(policy,),
        session_key=key.public_key.pem,
        issued_at=now,
        expires_at=now + timedelta(minutes=15),
    )
    return msgspec.structs.replace(statement, **changes)


def session_key() -> LocalSigner:
    """A fresh one."""
    return member_signer()
