"""What the operator sees of webhook and member from outside, over real TLS on loopback."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from quorate import names
from quorate.alerts import Rule
from quorate.errors import Unavailable
from quorate_io import tls
from quorate_io.clock import SystemClock
from quorate_operator import webhook_tls
from quorate_operator.alert_endings import CALM_SECONDS, AlertEndings
from quorate_operator.alerts import Alerts
from quorate_operator.committee import Committee
from quorate_operator.effects.dial import ANSWER_BYTES, dial
from quorate_operator.effects.events import Events
from quorate_operator.kinds import SECRET, Key
from quorate_operator.lookout import LOOK_SECONDS, Lookout
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.serving import DOWN_SECONDS
from tests.unit.operator.fake_api import FakeApi, Holding, Monotonic
from tests.unit.operator.links import Links
from tests.unit.operator.scene import Scene as OperatorScene

NS = names.NAMESPACE
NAME = webhook_tls.service_names(NS)[0]
AUTHORITY = webhook_tls.new_authority(datetime.now(UTC))
SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{NS}/endpointslices"


class Server:
    """A TLS server that answers one text to anything."""

    def __init__(self) -> None:
        self.answer = b"HTTP/1.1 200 OK\r\n\r\nok\n"
        self.context = tls.server_context()
        self.port = 0
        self.show(timedelta(days=30))

    def show(self, life: timedelta, age: timedelta = timedelta(0)) -> None:
        """Show a certificate of this life and age."""
        leaf = webhook_tls.new_leaf(AUTHORITY, NS, datetime.now(UTC) - age, life)
        tls.use_certificate(self.context, leaf.certificate_pem, leaf.key_pem)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.answer)
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A webhook that answers."""
    made = Server()
    listener = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=made.context)
    made.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield made


class Scene:
    """A lookout with an API server in memory."""

    def __init__(self, port: int, *, ready: bool = True) -> None:
        self.api, self.monotonic = FakeApi(), Monotonic()
        secret = webhook_tls.tls_secret(
            Key(SECRET.name, NS, webhook_tls.CA_SECRET), AUTHORITY.pem, AUTHORITY.key_pem
        )
        self.api.put(SECRET.path(NS, webhook_tls.CA_SECRET), secret)
        self.endpoint: dict[str, Any] = {
            "addresses": ["127.0.0.1"],
            "conditions": {"ready": ready},
            "targetRef": {"kind": "Pod", "name": "webhook-0", "uid": "uid-0"},
        }
        self.slices({"ports": [{"port": port}], "endpoints": [self.endpoint]})
        metrics, holding, clock = Metrics(CollectorRegistry()), Holding(), SystemClock()
        events = Events(self.api, holding, "op", clock, self.monotonic, metrics)
        alerts = Alerts(self.api, holding, events, clock, self.monotonic, metrics)
        # 127.0.0.2 does not answer.
        links, world = Links("1", "2"), OperatorScene().world
        committee = Committee(links.client, world, clock, metrics, self.monotonic)
        url = f"https://127.0.0.{{member}}:{port}"
        endings = AlertEndings(alerts, self.monotonic)
        self.lookout = Lookout(self.api, NS, url, committee, alerts, clock, self.monotonic, endings)

    def slices(self, *slices: dict[str, Any]) -> None:
        """Have these EndpointSlices."""
        self.api.objects[SLICES] = {"items": list(slices), "metadata": {"resourceVersion": "1"}}

    async def rules(self) -> list[Rule]:
        """Look once: what is wrong."""
        return [alert.rule for alert in await self.lookout.webhook()]


async def test_a_webhook_that_answers_is_well(server: Server) -> None:
    """Ready, under our authority, with a young certificate."""
    scene = Scene(server.port)
    assert await scene.rules() == []
    assert await scene.lookout.members() == []


@pytest.mark.requirement("WebhookDown is raised by the operator")
async def test_a_webhook_that_does_not_answer_is_down(server: Server) -> None:
    """Not ready, gone, or under another authority: an alert after a while, and none once it is."""
    scene = Scene(server.port)
    good = scene.api.objects[SLICES]
    for bad in (
        [],
        [{"ports": [{"port": 1}], "endpoints": [scene.endpoint]}],
        [{"ports": [{"port": server.port}], "endpoints": [{"conditions": {"ready": False}}]}],
    ):
        scene.slices(*bad)
        assert await scene.rules() == []
        scene.monotonic.time += DOWN_SECONDS
        assert await scene.rules() == [Rule.WEBHOOK_DOWN]
        scene.api.objects[SLICES] = good
        assert await scene.rules() == []


async def test_another_authority_is_no_answer(server: Server) -> None:
    """The API server would not believe it either."""
    other = webhook_tls.new_authority(datetime.now(UTC)).pem.decode()
    with pytest.raises(Unavailable, match="certificate"):
        await dial("127.0.0.1", server.port, NAME, tls.client_context([other]))


@pytest.mark.requirement("WebhookWatchStale is raised by the operator")
async def test_a_stale_replica_is_told_apart(server: Server) -> None:
    """It says itself what it has not heard of; the pod is the subject."""
    server.answer = b"HTTP/1.1 503 x\r\n\r\nPod: nothing heard for 130 s\n"
    scene = Scene(server.port, ready=False)
    (alert,) = await scene.lookout.webhook()
    assert alert.rule == Rule.WEBHOOK_WATCH_STALE
    assert (alert.subject.key.name, alert.subject.uid) == ("webhook-0", "uid-0")
    assert "nothing heard for 130 s" in alert.summary
    scene.monotonic.time += DOWN_SECONDS
    assert set(await scene.rules()) == {Rule.WEBHOOK_WATCH_STALE, Rule.WEBHOOK_DOWN}


@pytest.mark.requirement("ServingCertificateRenewalLate is raised by the operator")
async def test_an_old_certificate_is_late(server: Server) -> None:
    """What is shown to clients counts, of webhook and member, not what a Secret holds."""
    server.show(timedelta(days=30), age=timedelta(days=24))
    scene = Scene(server.port)
    assert await scene.rules() == []
    server.show(timedelta(days=30), age=timedelta(days=26))
    assert await scene.rules() == [Rule.SERVING_CERTIFICATE_RENEWAL_LATE]
    (alert,) = await scene.lookout.members()
    assert alert.subject.key.name == "quorate-1"


@pytest.mark.parametrize(
    "answer", [b"", b"\x00" * 100, b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 x\r\n\r\n", b"SSH-2.0\r\n\r\n"]
)
async def test_what_is_not_http_is_no_answer(server: Server, answer: bytes) -> None:
    """It is said, and never a crash."""
    server.answer = answer
    context = tls.client_context([AUTHORITY.pem.decode()])
    with pytest.raises(Unavailable):
        await dial("127.0.0.1", server.port, NAME, context)


async def test_an_endless_answer_is_cut(server: Server) -> None:
    """A replica cannot fill the operator's memory."""
    server.answer = b"HTTP/1.1 503 x\r\n\r\n" + b"x" * (10 * ANSWER_BYTES)
    context: ssl.SSLContext = tls.client_context([AUTHORITY.pem.decode()])
    shown = await dial("127.0.0.1", server.port, NAME, context)
    assert len(shown.text) < 2 * ANSWER_BYTES


async def test_a_webhook_that_answers_again_closes_its_incident(server: Server) -> None:
    """After five minutes of answering, not of silence; nothing is closed of what did not answer."""
    scene = Scene(server.port)
    good = scene.api.objects[SLICES]

    def is_open() -> list[bool]:
        found = [d for p, d in scene.api.objects.items() if "/safetyincidents/" in p]
        down = [d for d in found if d["spec"]["rule"] == Rule.WEBHOOK_DOWN]
        return ["conditions" not in incident["status"] for incident in down]

    async def look(seconds: float) -> None:
        until = scene.monotonic.time + seconds
        while scene.monotonic.time < until:
            await scene.lookout.look()
            scene.monotonic.time += LOOK_SECONDS

    scene.slices()
    await look(DOWN_SECONDS + 2 * LOOK_SECONDS)
    assert is_open() == [True]
    await look(CALM_SECONDS + 120)
    assert is_open() == [True]
    scene.api.objects[SLICES] = good
    await look(CALM_SECONDS - 2 * LOOK_SECONDS)
    assert is_open() == [True]
    await look(120)
    assert is_open() == [False]
    scene.api.objects.pop(SECRET.path(NS, webhook_tls.CA_SECRET))
    await look(30)
    assert is_open() == [False]
