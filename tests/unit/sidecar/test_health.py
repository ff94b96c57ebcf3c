"""The health server: what probes and people see of a service."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from quorate_io.health import HealthServer


class Service:
    """A service that is as ready as the test wants it to be."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.broken = False

    def ready(self) -> list[str]:
        if self.broken:
            raise RuntimeError("boom")
        return self.reasons


@pytest.fixture
async def client(service: Service, tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    registry = CollectorRegistry()
    Counter("quorate_test", "A test's own counter.", registry=registry).inc(3)
    server = HealthServer(
        ready=service.ready, probes={"/startupz": lambda: ["still measuring"]}, registry=registry
    )
    (port,) = await server.listen(["127.0.0.1"], 0)
    await server.listen_unix(tmp_path / "health.sock")
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session
    await server.close()
    await server.close()


@pytest.fixture
def service() -> Service:
    return Service()


async def test_ready_service_answers_ok(client: aiohttp.ClientSession) -> None:
    """Alive and ready are two paths; both are 200 if there is no reason against it."""
    for path in ("/healthz", "/readyz"):
        async with client.get(path) as answer:
            assert (answer.status, await answer.text()) == (200, "ok\n")


async def test_unready_service_says_why(client: aiohttp.ClientSession, service: Service) -> None:
    """Every reason is a line of a 503; being unready does not make it dead."""
    service.reasons = ["no signed state yet", "a foreign listener on 0.0.0.0:8000"]
    async with client.get("/readyz") as answer:
        assert answer.status == 503
        assert (await answer.text()).splitlines() == service.reasons
    async with client.get("/healthz") as answer:
        assert answer.status == 200


async def test_failing_probe_is_unready(client: aiohttp.ClientSession, service: Service) -> None:
    """A probe that raises is a reason, not a connection reset."""
    service.broken = True
    async with client.get("/readyz") as answer:
        assert answer.status == 503
        assert "failed" in await answer.text()


async def test_added_probe_is_served(client: aiohttp.ClientSession) -> None:
    """A service may add probes of its own."""
    async with client.get("/startupz") as answer:
        assert (answer.status, await answer.text()) == (503, "still measuring\n")


async def test_metrics_are_served(client: aiohttp.ClientSession) -> None:
    """Prometheus finds the service's metrics."""
    async with client.get("/metrics") as answer:
        assert answer.status == 200
        assert "quorate_test_total 3.0" in await answer.text()


async def test_everything_else_is_refused(client: aiohttp.ClientSession) -> None:
    """Unknown paths and other methods are answered as such."""
    async with client.get("/") as answer:
        assert answer.status == 404
        assert "/readyz" in await answer.text()
    async with client.post("/readyz") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_unix_socket_answers_too(client: aiohttp.ClientSession, tmp_path: Path) -> None:
    """The exec probe needs no port."""
    connector = aiohttp.UnixConnector(str(tmp_path / "health.sock"))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get("http://local/readyz") as answer,
    ):
        assert answer.status == 200
