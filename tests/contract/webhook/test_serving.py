"""The webhook as a process: away, restarted, rotated, beside an API server that restarts."""

import http.client
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from quorate_io import tls
from tests.bench.usage import memory_mib
from tests.bench.webhook.tls import renew_certificate
from tests.contract.webhook.ground import ORDINARY, Ground, eventually
from tests.contract.webhook.plane import Api
from tests.unit.admission.world import FLOOR


def health(ground: Ground, path: str) -> tuple[int, str]:
    """What the health server says; status 0 if nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{ground.health}{path}", timeout=2) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except (OSError, http.client.HTTPException):
        return 0, ""


class Traffic:
    """Creates good pods by dry run, one after the other, until told to stop."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._api = Api(ground.plane.kubeconfig)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.accepted = 0
        self.failures: list[str] = []

    def _run(self) -> None:
        path = f"/api/v1/namespaces/{self._ground.namespace()}/pods?dryRun=All"
        pod = self._ground.pod()
        while not self._stop.is_set():
            answer = self._api.request("POST", path, pod)
            if answer.accepted:
                self.accepted += 1
            else:
                self.failures.append(answer.message)
        self._api.close()

    @contextmanager
    def running(self) -> Iterator["Traffic"]:
        """Traffic while the block runs."""
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join(30)


@pytest.mark.requirement("webhook away → AI pod denied, ordinary namespace unaffected")
def test_without_the_webhook_nothing_enters_an_enforced_namespace(prepared_ground: Ground) -> None:
    """Fail means fail; namespaces that have not opted in, or only report, go on."""
    ground = prepared_ground
    message = ground.create(ground.pod()).message
    assert "failed calling webhook" in message
    for namespace in (ORDINARY, ground.namespace("warn"), ground.namespace("audit")):
        answer = ground.create(ground.pod(namespace=namespace))
        assert answer.accepted, answer.message
    with ground.webhook():
        assert ground.admitted()


@pytest.mark.requirement("UPDATE judges changes only")
def test_without_the_webhook_metadata_still_changes(prepared_ground: Ground) -> None:
    """Finalizers of pods in an enforced namespace do not depend on us being there."""
    ground = prepared_ground
    with ground.webhook():
        pod = ground.created(ground.pod(name="orphan"))
    for value in (["example.com/held"], []):
        operation = {"op": "add", "path": "/metadata/finalizers", "value": value}
        answer = ground.patch(pod, operation)
        assert answer.accepted, answer.message
    ground.delete(pod)


@pytest.mark.requirement("readiness only with synced caches")
def test_ready_means_that_a_review_is_answered(prepared_ground: Ground) -> None:
    """As soon as /readyz says so, a good pod is admitted; metrics tell of it."""
    ground = prepared_ground
    with ground.webhook():
        assert health(ground, "/readyz") == (200, "ok\n")
        assert ground.admitted()
        status, text = health(ground, "/metrics")
        assert status == 200
        assert 'reviews_total{decision="patched",path="/v1/mutate",reason=""} 1.0' in text
        assert 'cache_objects{kind="AttestedModel"} 1.0' in text
        assert 'watch_last_event_age_seconds{kind="Pod"}' in text


@pytest.mark.requirement("graceful drain: no failed request")
def test_sigterm_fails_no_request(prepared_ground: Ground) -> None:
    """It says it is not ready, answers what still comes, and ends by itself with success."""
    ground = prepared_ground
    with ground.webhook(drain_seconds=3) as process, Traffic(ground).running() as traffic:
        eventually(lambda: traffic.accepted > 5, "traffic")
        process.send_signal(signal.SIGTERM)
        eventually(lambda: health(ground, "/readyz") == (503, "stopping\n"), "not ready", 2)
        time.sleep(1.5)
        during = traffic.accepted
        assert process.poll() is None
        assert during > 10
        assert traffic.failures == []
        assert process.wait(15) == 0


@pytest.mark.requirement("certificate rotation under traffic → no failed request")
def test_a_rotated_leaf_fails_no_request(prepared_ground: Ground) -> None:
    """The files change as the operator changes them; the API server notices nothing."""
    ground = prepared_ground
    with ground.webhook(), Traffic(ground).running() as traffic:
        eventually(lambda: traffic.accepted > 5, "traffic")
        serial = renew_certificate(ground.directory)
        eventually(lambda: ground.serial() == serial, "the new one", tls.RELOAD_SECONDS + 5)
        before = traffic.accepted
        eventually(lambda: traffic.accepted > before + 5, "traffic goes on")
        assert traffic.failures == []


@pytest.mark.requirement("the cache follows the API server across its restart")
def test_an_api_server_that_restarts_is_followed_again(prepared_ground: Ground) -> None:
    """Watches come back by themselves; changes made after the restart are seen."""
    ground = prepared_ground
    with ground.webhook() as process:
        assert ground.admitted()
        ground.plane.restart()
        eventually(ground.admitted, "the first review after the restart")
        ground.put_model([])
        ground.plane.apply(ground.floor(model=FLOOR["model"] | {"servers": []}))
        eventually(lambda: not ground.admitted(), "a change after the restart")
        ground.plane.apply(ground.floor())
        ground.put_model()
        eventually(ground.admitted, "the change back")
        assert memory_mib(process.pid) < 120


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("digest", "sha256:" + "0" * 64),
        ("genesis.json", "{}"),
        ("injection.json", '{"image":"x"}'),
        ("tls.crt", "no certificate"),
    ],
    ids=["digest", "genesis", "injection", "certificate"],
)
def test_files_that_cannot_be_used_end_it_at_once(
    prepared_ground: Ground, file: str, content: str
) -> None:
    """Exit code 2 and a sentence, rather than a webhook that decides by something else."""
    path = prepared_ground.directory / file
    good = path.read_bytes()
    path.write_text(content)
    try:
        with prepared_ground.started() as process:
            assert process.wait(20) == 2
    finally:
        path.write_bytes(good)
