"""Run inside a network namespace of its own, like inside_pod.py: a real member's receipts in a real
sidecar's hands.
"""

import asyncio
import json
import time

import msgspec

from quorate.alerts import Rule
from quorate_io.member_api import ObservedPod
from quorate_sidecar.audit_writer import audit_files
from tests.fakes.service_account import claims, token
from tests.integration.sidecar.inside_pod import (
    PATIENCE,
    Pod,
    ask,
    model_server,
    pod,
    reported,
    until_status,
    vouched,
)
from tests.integration.sidecar.stand import answers, completion

__all__ = ["pod"]

OTHER = f"sha256:{'0' * 64}"
LIFE = 10


def receipts_of(pod: Pod) -> list[str]:
    """Digests of the receipts in the audit log, in order."""
    lines = b"".join(f.read_bytes() for f in audit_files(pod.folder / "work" / "audit"))
    bodies = [json.loads(line)["body"] for line in lines.splitlines()]
    return [body["receiptDigest"] for body in bodies if body["kind"] == "receipt"]


def running(pod: Pod, digest: str) -> ObservedPod:
    """The pod, as the kubelet reports this image for its server."""
    *injected, server = pod.pod().containers
    server = msgspec.structs.replace(server, runs=digest)
    return msgspec.structs.replace(pod.pod(), containers=(*injected, server))


async def test_receipts_are_renewed_and_withheld(pod: Pod) -> None:
    """Renewed while requests pass; another image than the policies name: told, then unready by the
    end of the receipt; named again: served again. A sidecar that starts again has another."""
    async with (
        vouched(pod, "--receipt-life", f"{LIFE}") as operator,
        model_server(answers(completion("Hi"))),
    ):
        assert pod.run_measure() == 0
        with pod.sidecar():
            begin = time.monotonic()
            while len(receipts_of(pod)) < 3:
                assert time.monotonic() < begin + 2 * LIFE
                assert (await ask())[0] == 200
                await asyncio.sleep(0.5)
            assert len(set(receipts_of(pod))) == 3
            await operator.tell(pods=(running(pod, OTHER),))
            withheld = time.monotonic()
            answer = await until_status(503, "ReceiptExpired")
            assert time.monotonic() - withheld < LIFE + 1
            assert "RunningImageDiffers" in answer["error"]["message"]
            assert "RunningImageDiffers" in pod.wait_probe("ready", 1)
            assert pod.probe("startup")[0] == 0
            await reported(operator, Rule.RECEIPT_RENEWAL_LATE)
            await operator.tell(pods=(running(pod, pod.pod().containers[-1].asked),))
            await until_status(200)
            await reported(operator, Rule.RECEIPT_RENEWAL_LATE, ended=True)
            known = set(receipts_of(pod))
        with pod.sidecar():
            await until_status(200)
            assert receipts_of(pod)[-1] not in known
        assert pod.audit_report().intact


async def test_no_receipt_no_start(pod: Pod) -> None:
    """A token that names no node: the model server is never let start, and the reason is said."""
    details = {k: v for k, v in claims()["kubernetes.io"].items() if k != "node"}
    async with vouched(pod):
        now = pod.pod_token()
        payload = claims() | {"kubernetes.io": details}
        fresh = int(time.time())
        payload |= {"iat": fresh, "nbf": fresh, "exp": fresh + 600}
        pod.write("pod.token", token(pod.token_key, payload).encode())
        assert pod.run_measure() == 0
        process = pod.start("serve", "--wait-seconds", "10")
        try:
            give_up = time.monotonic() + PATIENCE
            while "TokenWithoutNode" not in pod.probe("startup")[1]:
                assert time.monotonic() < give_up, pod.log_of("serve")
                await asyncio.sleep(0.2)
            assert (await ask())[1]["error"]["code"] == "ReceiptMissing"
            pod.write("pod.token", now.encode())
            pod.wait_probe("startup")
        finally:
            process.terminate()
            process.wait(PATIENCE)
