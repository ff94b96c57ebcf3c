"""Run inside a network namespace of its own, like inside_pod.py: real files changed under a real
sidecar while it serves.
"""

import asyncio
import time

from quorate.alerts import Rule
from tests.integration.sidecar.inside_pod import (
    PATIENCE,
    Pod,
    model_server,
    pod,
    reported,
    until_status,
    vouched,
)
from tests.integration.sidecar.stand import answers, completion

__all__ = ["pod"]


async def test_model_changed_while_served(pod: Pod) -> None:
    """A file written under a serving sidecar: denied and unready within seconds, told to the
    operator with the file's name; for good, whatever is put back and whoever starts again."""
    async with vouched(pod) as operator, model_server(answers(completion("Hi"))):
        assert pod.run_measure() == 0
        file = pod.model_folder / "config.json"
        with pod.sidecar():
            await until_status(200)
            before = file.read_bytes()
            file.write_bytes(b'{"changed": 1}')
            changed = time.monotonic()
            answer = await until_status(503, "ModelChanged")
            assert time.monotonic() - changed < 5
            assert "written: config.json" in answer["error"]["message"]
            assert "written: config.json" in pod.wait_probe("ready", 1)
            assert "config.json" in (await reported(operator, Rule.MODEL_MISMATCH)).message
            file.write_bytes(before)
            await asyncio.sleep(2.5)
            await until_status(503, "ModelChanged")
        with pod.sidecar():
            await until_status(503, "ModelChanged")
        # The whole pod anew: measured, and nothing to remember.
        assert pod.run_measure() == 0
        with pod.sidecar():
            await until_status(200)


async def test_touched_model_serves_on(pod: Pod) -> None:
    """Mode or owner alone, as the kubelet sets them on a shared volume: measured again, served."""
    async with vouched(pod), model_server(answers(completion("Hi"))):
        assert pod.run_measure() == 0
        with pod.sidecar():
            await until_status(200)
            (pod.model_folder / "model.safetensors").chmod(0o640)
            give_up = time.monotonic() + PATIENCE
            while "the bytes are the certified ones" not in pod.log_of("serve"):
                assert time.monotonic() < give_up, pod.log_of("serve")
                await asyncio.sleep(0.2)
            await until_status(200)
            pod.wait_probe("ready")


async def test_model_changed_between_measure_and_sidecar(pod: Pod) -> None:
    """What changes after measuring and before the sidecar looks is measured again, and refused."""
    async with vouched(pod):
        assert pod.run_measure() == 0
        (pod.model_folder / "config.json").write_bytes(b"[]")
        assert pod.start("serve", "--wait-seconds", "10").wait(PATIENCE) == 1
        assert "changed: config.json" in pod.last_words()
