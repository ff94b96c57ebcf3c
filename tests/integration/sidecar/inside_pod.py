"""Run inside a network namespace of its own, which stands for a pod's: see test_pod.py.

A real member, the real ``measure`` and ``serve`` processes, and a scripted model server.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from aiohttp import web

from quorate.alerts import Rule
from quorate.audit.chain import Chain, verify_lines
from quorate.evidence.intoto import Outcome
from quorate.manifest import Manifest
from quorate_io.measuring import measure_directory
from quorate_io.member_api import ObservedBatch, Report
from quorate_sidecar.audit_writer import audit_files
from tests.fakes import vouching
from tests.integration.consensus.member_process import Cluster
from tests.integration.consensus.operating import Operating
from tests.integration.sidecar.stand import Script, answers, chat, completion, sends, streamed
from tests.unit.sidecar import samples

PORT = 8000
ADDRESSES = ("10.244.0.5", "fd00::5")
URL = f"http://{ADDRESSES[0]}:{PORT}"
CHAT = f"{URL}/v1/chat/completions"
SECRET = samples.secrets()["github-token"]
PATIENCE = 20.0


class Pod(Cluster):
    """A pod: its model's files, and the processes of its injected containers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.model_folder = self.folder / "model"
        self.model_folder.mkdir()
        (self.model_folder / "config.json").write_text("{}")
        (self.model_folder / "model.safetensors").write_bytes(os.urandom(2_000_000))
        (self.folder / "work").mkdir()
        self.certified = self.measure()

    def measure(self) -> Manifest:
        """What the model's folder holds now."""
        return measure_directory(self.model_folder, workers=1, progress=lambda done, total: None)

    def floor(self) -> dict[str, Any]:
        """The platform's policy, with the checks on."""
        document = super().floor()
        document["spec"]["runtime"] = {
            "upstream": {"port": PORT, "probePaths": ["/health"]},
            "remeasure": {"scanSeconds": 1},
            "checks": [{"name": "secrets", "action": "deny"}, {"name": "pii", "action": "mask"}],
        }
        return document

    def model(self, **gate_details: Any) -> dict[str, Any]:
        """The signed and gated model whose files were certified."""
        details = {"finished_at": datetime.now(UTC) - timedelta(minutes=1)} | gate_details
        return vouching.attested_model(
            self.certified,
            bundles=(vouching.bundle(self.certified, self.owner),),
            gates=(vouching.gate_result(self.certified, self.producer, **details),),
        )

    def start(self, command: str, *extra: str) -> "subprocess.Popen[bytes]":
        """Start ``measure`` or ``serve`` as the container's image does."""
        facts = {
            "QUORATE_POD_NAME": "chat-0",
            "QUORATE_POD_NAMESPACE": "team-a",
            "QUORATE_POD_UID": "pod-uid-1",
            "QUORATE_MODEL": "demo",
            "QUORATE_POD_IPS": ",".join(ADDRESSES),
        }
        arguments = [
            *(sys.executable, "-P", "-m", "quorate_sidecar", command),
            *("--genesis-digest", self.genesis.digest_text, "--member-url", self.url),
            *("--token-file", str(self.folder / "pod.token")),
            *("--model-path", str(self.model_folder), "--work", str(self.folder / "work")),
            *("--termination-log", str(self.folder / "termination-log"), *extra),
        ]
        with (self.folder / f"{command}.log").open("ab") as log:
            return subprocess.Popen(arguments, stderr=log, env={**os.environ, **facts})

    def run_measure(self) -> int:
        """Run ``measure`` to its end; its exit code."""
        return self.start("measure", "--wait-seconds", "10").wait(PATIENCE)

    def probe(self, what: str) -> tuple[int, str]:
        """What the kubelet's exec probe sees."""
        socket = self.folder / "work" / "sidecar.sock"
        command = [sys.executable, "-P", "-m", "quorate_sidecar.probe", what]
        done = subprocess.run(
            [*command, "--socket", str(socket)], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout.strip()

    def wait_probe(self, what: str, code: int = 0) -> str:
        """Wait until a probe says so; its words."""
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            found, text = self.probe(what)
            if found == code:
                return text
            time.sleep(0.1)
        raise AssertionError(f"{what} stayed {found}: {text}\n{self.log_of('serve')}")

    @contextlib.contextmanager
    def sidecar(self, *extra: str) -> Iterator["subprocess.Popen[bytes]"]:
        """A started sidecar; it has ended when the block has."""
        process = self.start("serve", "--wait-seconds", "10", *extra)
        try:
            self.wait_probe("startup")
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            assert process.wait(PATIENCE) in (0, -signal.SIGKILL)

    def log_of(self, command: str) -> str:
        """What a container logged."""
        return (self.folder / f"{command}.log").read_text()

    def last_words(self) -> str:
        """The termination message."""
        return (self.folder / "termination-log").read_text()

    def audit_report(self) -> Any:
        """What the verifier says of the pod's log."""
        files = audit_files(self.folder / "work" / "audit")
        lines = [line for file in files for line in file.read_bytes().splitlines(keepends=True)]
        return verify_lines(lines, Chain())


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    """A pod that is not started."""
    return Pod(tmp_path)


@contextlib.asynccontextmanager
async def vouched(pod: Pod, *extra: str) -> Any:
    """A member that knows the pod and certifies its model."""
    with pod.member(*extra):
        async with Operating(pod) as operator:
            assert (await operator.vouch(pod.session())).ready
            async with operator.beating():
                yield operator


@contextlib.asynccontextmanager
async def model_server(script: Script, host: str = "127.0.0.1") -> Any:
    """The model server, on loopback as it should be."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", script)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, PORT).start()
        yield
    finally:
        await runner.cleanup()


async def ask(text: str = "Hello", url: str = CHAT) -> tuple[int, Any]:
    """One chat request; status and JSON."""
    async with aiohttp.ClientSession() as client, client.post(url, json=chat(text)) as answer:
        return answer.status, await answer.json()


async def until_status(status: int, code: str = "") -> Any:
    """Ask until the status (and code) is this; the answer."""
    give_up = time.monotonic() + PATIENCE
    found: tuple[int, Any] = (0, None)
    while time.monotonic() < give_up:
        found = await ask()
        if found[0] == status and (not code or found[1]["error"]["code"] == code):
            return found[1]
        await asyncio.sleep(0.2)
    raise AssertionError(f"last answer: {found}")


async def reported(operator: Operating, rule: Rule, *, ended: bool = False) -> Report:
    """Wait until the operator reads at the member that the rule holds in the pod, or has ended."""
    cursor, give_up = "", time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        answer = await operator.reports(cursor)
        cursor = answer.cursor
        for pod in answer.pods:
            for report in pod.reports:
                if (report.rule, report.until is not None) == (rule, ended):
                    assert pod.uid == "pod-uid-1"
                    return report
    raise AssertionError(f"{rule} was not reported")


def assert_measured_model_is_served(pod: Pod) -> None:
    """Startup and readiness hold, and the model was measured once."""
    assert pod.probe("startup") == (0, "ok")
    assert pod.probe("ready") == (0, "ok")
    assert "quorate-measure found the certified model" in pod.log_of("serve")


async def test_certified_model_is_served(pod: Pod) -> None:
    """From measuring to an answer through every address of the pod, and metrics beside it."""
    async with vouched(pod), model_server(answers(completion("Hi"))):
        assert pod.run_measure() == 0, pod.log_of("measure")
        with pod.sidecar():
            assert_measured_model_is_served(pod)
            for host in (ADDRESSES[0], f"[{ADDRESSES[1]}]"):
                status, body = await ask(url=f"http://{host}:{PORT}/v1/chat/completions")
                assert (status, body["choices"][0]["message"]["content"]) == (200, "Hi")
            status, body = await ask(f"my key is {SECRET}")
            assert (status, body["error"]["code"]) == (403, "ContentDenied")
            metrics_url = f"http://{ADDRESSES[0]}:9902/metrics"
            async with aiohttp.ClientSession() as client, client.get(metrics_url) as metrics:
                text = await metrics.text()
            assert 'outcome="released"' in text
            assert 'code="ContentDenied"' in text
        assert pod.audit_report().intact
        assert pod.audit_report().interrupted == ()


async def test_openai_client_gets_a_streamed_answer(pod: Pod) -> None:
    """The real client streams, and sees a refusal as its own exception with the reason."""
    async with vouched(pod), model_server(sends(streamed(["Once ", "upon ", "a ", "time"]))):
        assert pod.run_measure() == 0
        with pod.sidecar():
            client = openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0)
            async with client:
                stream = await client.chat.completions.create(
                    model="demo", messages=[{"role": "user", "content": "tell"}], stream=True
                )
                parts = [part.choices[0].delta.content or "" async for part in stream]
                assert "".join(parts) == "Once upon a time"
                with pytest.raises(openai.PermissionDeniedError) as refused:
                    await client.chat.completions.create(
                        model="demo", messages=[{"role": "user", "content": SECRET}]
                    )
                assert refused.value.code == "ContentDenied"
                assert "github-token" in str(refused.value)


async def test_openai_client_sees_a_stream_refused(pod: Pod) -> None:
    """A credential in the stream ends it with an exception, and none of it was seen."""
    pieces = ["The key is ", SECRET[:15], SECRET[15:], " indeed"]
    async with vouched(pod), model_server(sends(streamed(pieces))):
        assert pod.run_measure() == 0
        with pod.sidecar():
            client = openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0)
            seen = ""
            async with client:
                stream = await client.chat.completions.create(
                    model="demo", messages=[{"role": "user", "content": "tell"}], stream=True
                )
                refused: openai.APIError | None = None
                try:
                    async for part in stream:
                        seen += part.choices[0].delta.content or ""
                except openai.APIError as error:
                    refused = error
            assert refused is not None
            assert "github-token" in refused.message
            assert seen == "The key is "


@pytest.mark.parametrize("change", ["byte", "added", "removed", "renamed", "link"])
async def test_changed_model_never_starts(pod: Pod, change: str) -> None:
    """Measuring fails, and the termination message names the file."""
    config, weights = pod.model_folder / "config.json", pod.model_folder / "model.safetensors"
    if change == "byte":
        weights.write_bytes(b"x" + weights.read_bytes()[1:])
    elif change == "added":
        (pod.model_folder / "extra.py").write_text("print()")
    elif change == "removed":
        config.unlink()
    elif change == "renamed":
        config.rename(pod.model_folder / "config2.json")
    else:
        (pod.model_folder / "link").symlink_to("config.json")
    named = {
        "byte": "changed: model.safetensors",
        "added": "not signed: extra.py",
        "removed": "missing: config.json",
        "renamed": "not signed: config2.json",
        "link": "link",
    }
    async with vouched(pod) as operator:
        assert pod.run_measure() == 1
        assert named[change] in pod.last_words()
        told = await reported(operator, Rule.MODEL_MISMATCH)
        assert named[change] in told.message
        # The sidecar, should it run without measure, finds the same.
        serving = pod.start("serve", "--wait-seconds", "5")
        assert serving.wait(PATIENCE) == 1
        assert named[change] in pod.last_words()


async def test_unvouched_model_never_starts(pod: Pod) -> None:
    """Without a certificate, and without a member, measuring ends with the reason."""
    with pod.member():
        async with Operating(pod) as operator:
            failed = pod.model(result=Outcome.FAILED)
            session = pod.session()
            await operator.observe(
                ObservedBatch(**{f: getattr(session, f) for f in session.__struct_fields__}
                              | {"models": (failed,)})
            )  # fmt: skip
        assert pod.run_measure() == 1
        assert "Gate" in pod.last_words() or "Certificate" in pod.last_words()
    assert pod.start("measure", "--wait-seconds", "1").wait(PATIENCE) == 1
    assert "no signed state" in pod.last_words()


async def test_wildcard_model_is_refused_with_the_remedy(pod: Pod) -> None:
    """A model that took every address leaves no port for the sidecar, and the message helps."""
    async with vouched(pod), model_server(answers({}), host="0.0.0.0"):  # noqa: S104
        assert pod.run_measure() == 0
        serving = pod.start("serve", "--wait-seconds", "5")
        assert serving.wait(PATIENCE) == 1
        assert "listens on all addresses" in pod.last_words()
        assert "--host 127.0.0.1" in pod.last_words()
        assert "OLLAMA_HOST=127.0.0.1" in pod.last_words()


async def test_wildcard_model_fails_once_the_sidecar_runs(pod: Pod) -> None:
    """In the order of a pod, it is the model that finds its address in use."""
    async with vouched(pod):
        assert pod.run_measure() == 0
        with pod.sidecar(), pytest.raises(OSError, match="address already in use"):
            async with model_server(answers({}), host="0.0.0.0"):  # noqa: S104
                pass


async def test_taken_health_port_is_said(pod: Pod) -> None:
    """A pod whose own container has the port of health and metrics learns which one it is."""
    async with vouched(pod):
        taken = await asyncio.start_server(lambda r, w: None, ADDRESSES[0], 9902)
        assert pod.start("serve", "--wait-seconds", "5").wait(PATIENCE) == 1
        assert "port 9902 for health and metrics" in pod.last_words()
        taken.close()


async def test_foreign_listener_denies_until_it_is_gone(pod: Pod) -> None:
    """A way around the sidecar makes the pod unready and closes the way through it."""
    async with vouched(pod) as operator, model_server(answers(completion("Hi"))):
        assert pod.run_measure() == 0
        with pod.sidecar():
            assert (await ask())[0] == 200
            foreign = await asyncio.start_server(lambda r, w: None, ADDRESSES[0], 9000)
            answer = await until_status(503, "ForeignListener")
            assert "10.244.0.5:9000" in answer["error"]["message"]
            assert "--host 127.0.0.1" in pod.wait_probe("ready", 1)
            assert pod.probe("startup")[0] == 0
            told = await reported(operator, Rule.FOREIGN_LISTENER)
            assert "10.244.0.5:9000" in told.message
            foreign.close()
            await foreign.wait_closed()
            await until_status(200)
            pod.wait_probe("ready")
            await reported(operator, Rule.FOREIGN_LISTENER, ended=True)


async def test_unwritten_audit_log_is_reported(pod: Pod) -> None:
    """The log cannot be begun: unready, and a member hears why; it ends when it can."""
    audit = pod.folder / "work" / "audit"
    audit.write_text("a file where the directory should be")
    async with vouched(pod) as operator, model_server(answers(completion("Hi"))):
        assert pod.run_measure() == 0
        with pod.sidecar():
            await reported(operator, Rule.AUDIT_LOG_NOT_WRITTEN)
            pod.wait_probe("ready", 1)
            audit.unlink()
            pod.wait_probe("ready")
            await reported(operator, Rule.AUDIT_LOG_NOT_WRITTEN, ended=True)


async def test_restarted_sidecar_measures_again(pod: Pod) -> None:
    """Init containers do not run again: the second start hashes the model itself."""
    async with vouched(pod), model_server(answers(completion("Hi"))):
        assert pod.run_measure() == 0
        with pod.sidecar() as first:
            first.kill()
            first.wait()
        assert "measuring the model" not in pod.log_of("serve")
        with pod.sidecar():
            assert (await ask())[0] == 200
        assert "measuring the model" in pod.log_of("serve")
        assert pod.audit_report().intact


async def test_denial_stays_ready_and_ends(pod: Pod) -> None:
    """A FAILED gate reaches the running pod: 403 with its reason, Ready all the while."""
    async with (
        vouched(pod, "--state-life", "12") as operator,
        model_server(answers(completion("Hi"))),
    ):
        assert pod.run_measure() == 0
        with pod.sidecar():
            assert (await ask())[0] == 200
            failed = pod.model(result=Outcome.FAILED)
            await operator.tell(models=(failed,))
            answer = await until_status(403, "PolicyDenied")
            assert "ailed" in answer["error"]["message"]
            assert pod.probe("ready") == (0, "ok")
            async with aiohttp.ClientSession() as client, client.get(f"{URL}/health") as probe:
                assert probe.status == 200


async def test_absent_control_plane(pod: Pod) -> None:
    """Within the state's life no request fails; beyond it every one does, and it recovers."""
    async with model_server(answers(completion("Hi"))):
        async with vouched(pod, "--state-life", "10") as operator:
            assert pod.run_measure() == 0
            sidecar = contextlib.ExitStack()
            sidecar.enter_context(pod.sidecar())
            # Starting took a part of the life: a heartbeat, and the time of a poll.
            await operator.tell()
            await asyncio.sleep(2.5)
        with sidecar:
            gone = time.monotonic()
            while time.monotonic() < gone + 4:
                assert (await ask())[0] == 200
                await asyncio.sleep(0.2)
            answer = await until_status(503, "StateExpired")
            assert "expired at" in answer["error"]["message"]
            assert "expired" in pod.wait_probe("ready", 1)
            async with vouched(pod, "--state-life", "10") as operator:
                await until_status(200)
                pod.wait_probe("ready")
                await reported(operator, Rule.STATE_AGE_HIGH, ended=True)


async def test_sigterm_drains_streams(pod: Pod) -> None:
    """A stream that began before the signal ends after it, whole; new requests find no listener."""
    events = streamed([f"word{n} " for n in range(20)])
    async with vouched(pod), model_server(sends(events, pause=0.1)):
        assert pod.run_measure() == 0
        with pod.sidecar() as process:
            async with aiohttp.ClientSession() as client:
                body = {**chat(), "stream": True}
                async with client.post(CHAT, json=body) as answer:
                    first = await answer.content.readany()
                    process.terminate()
                    await asyncio.sleep(0.3)
                    with pytest.raises(aiohttp.ClientConnectorError):
                        await ask()
                    rest = await answer.read()
            assert (first + rest).endswith(b"data: [DONE]\n\n")
            assert process.wait(PATIENCE) == 0
        report = pod.audit_report()
        assert report.intact
        assert report.interrupted == ()
        assert report.counts["released"] == 1


async def test_killed_sidecar_leaves_interrupted_exchanges(pod: Pod) -> None:
    """What was opened is in the log although the process had no time to say goodbye."""
    async with vouched(pod), model_server(sends(streamed(["one ", "two "] * 50), pause=0.1)):
        assert pod.run_measure() == 0
        with pod.sidecar() as process:
            body = {**chat(), "stream": True}
            async with aiohttp.ClientSession() as client, client.post(CHAT, json=body) as answer:
                await answer.content.readany()
                process.kill()
                with contextlib.suppress(aiohttp.ClientError):
                    await answer.read()
        report = pod.audit_report()
        assert report.intact
        assert len(report.interrupted) == 1
        with pod.sidecar():
            pod.wait_probe("ready")
        again = pod.audit_report()
        assert again.intact
        assert again.interrupted == report.interrupted
        assert json.loads(json.dumps(again.counts))["head"] == 2
