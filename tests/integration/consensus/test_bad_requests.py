"""Requests nobody's client would send: an error body each, and the member lives."""

import asyncio
import gzip
import io
import json
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest

from quorate_io import member_api, tls
from quorate_io.member_api import EvaluateRequest, Failure
from tests.integration.consensus.member_process import Cluster
from tests.integration.consensus.operating import Operating, now, pod_client


async def sent(cluster: Cluster, method: str, path: str, **details: Any) -> tuple[int, Any]:
    """Send a request; returns the status and the parsed body."""
    connector = aiohttp.TCPConnector(ssl=tls.unverified_context())
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.request(method, cluster.url + path, **details) as response,
    ):
        return response.status, json.loads(await response.read())


def bearer(cluster: Cluster, who: str) -> dict[str, str]:
    """The headers of a caller."""
    token = (cluster.folder / f"{who}.token").read_text()
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def question(cluster: Cluster, issued_at: datetime) -> bytes:
    """A question for a vote."""
    asked = EvaluateRequest(policy=cluster.floor(), model=cluster.model(), issued_at=issued_at)
    return member_api.encode(asked)


@pytest.mark.requirement("bad input: a clear error or DENY, no crash")
async def test_bad_requests(cluster: Cluster) -> None:
    """Every odd request gets its status and reason, and the next good one is answered."""
    with cluster.member():
        operator, pod = bearer(cluster, "operator"), bearer(cluster, "pod")
        today, long_ago = question(cluster, now()), question(cluster, now() - timedelta(minutes=1))
        huge = io.BytesIO(b'{"session":"' + b"x" * member_api.BATCH_BYTES + b'"}')
        cases: list[tuple[str, str, dict[str, Any], int, Failure]] = [
            ("GET", "/", {}, 404, Failure.NOT_FOUND),
            ("GET", "/v1/state/x", {}, 404, Failure.NOT_FOUND),
            ("POST", "/v1/state", {}, 405, Failure.MALFORMED),
            ("GET", "/v1/state", {}, 401, Failure.UNAUTHENTICATED),
            ("GET", "/v1/state", {"headers": {"Authorization": "Basic eDp5"}}, 401,
             Failure.UNAUTHENTICATED),
            ("GET", "/v1/state", {"headers": {"Authorization": "Bearer x.y.z"}}, 401,
             Failure.UNAUTHENTICATED),
            ("GET", "/v1/state", {"headers": {"Authorization": "Bearer " + "x" * 19_000}}, 401,
             Failure.UNAUTHENTICATED),
            ("GET", "/v1/state", {"headers": pod}, 503, Failure.NOT_READY),
            ("GET", "/v1/manifests/sha256:x", {"headers": pod}, 400, Failure.MALFORMED),
            ("GET", "/v1/manifests/..%2f..%2fkey", {"headers": pod}, 400, Failure.MALFORMED),
            ("POST", "/v2/observed", {"headers": pod, "data": b"{}"}, 403, Failure.FORBIDDEN),
            ("POST", "/v2/observed", {"headers": operator, "data": b""}, 400, Failure.MALFORMED),
            ("POST", "/v2/observed", {"headers": operator, "data": b"\xff\x00"}, 400,
             Failure.MALFORMED),
            ("POST", "/v2/observed", {"headers": operator, "data": b"[" * 500_000}, 413,
             Failure.TOO_LARGE),
            ("POST", "/v2/observed", {"headers": operator, "data": huge}, 413, Failure.TOO_LARGE),
            ("POST", "/v2/observed",
             {"headers": operator | {"Content-Type": "text/plain"}, "data": b"{}"}, 400,
             Failure.MALFORMED),
            ("POST", "/v2/observed",
             {"headers": operator | {"Content-Encoding": "gzip"}, "data": gzip.compress(b"{}")},
             400, Failure.MALFORMED),
            ("POST", "/v2/evaluate", {"headers": operator, "data": b'{"policy":{},"model":{}}'},
             400, Failure.MALFORMED),
            ("POST", "/v2/evaluate",
             {"headers": operator, "data": b'{"policy":NaN,"policy":1,"model":{}}'}, 400,
             Failure.MALFORMED),
            ("POST", "/v2/evaluate", {"headers": pod, "data": b"{}"}, 403, Failure.FORBIDDEN),
            ("POST", "/v2/evaluate", {"headers": operator, "data": long_ago}, 400,
             Failure.MALFORMED),
            ("POST", "/v1/evaluate", {"headers": pod, "data": b"{}"}, 403, Failure.FORBIDDEN),
            ("POST", "/v1/evaluate", {"headers": operator, "data": today}, 400, Failure.MALFORMED),
            ("POST", "/v1/observed", {"headers": pod, "data": b"{}"}, 403, Failure.FORBIDDEN),
            ("POST", "/v1/receipts", {"data": b"{}"}, 401, Failure.UNAUTHENTICATED),
            ("POST", "/v1/receipts", {"headers": pod, "data": b"x" * 9000}, 413, Failure.TOO_LARGE),
            ("POST", "/v1/receipts", {"headers": pod, "data": b"{}"}, 503, Failure.NOT_READY),
            ("POST", "/v1/reports", {"headers": pod, "data": b"{}"}, 503, Failure.NOT_READY),
            ("GET", "/v1/reports", {"headers": pod}, 403, Failure.FORBIDDEN),
            ("GET", "/v1/reports?before=1", {"headers": operator}, 400, Failure.MALFORMED),
            ("GET", "/v1/reports?after=1&after=2", {"headers": operator}, 400, Failure.MALFORMED),
        ]  # fmt: skip
        for method, path, details, status, reason in cases:
            found, body = await sent(cluster, method, path, **details)
            assert (path, found, body["reason"]) == (path, status, reason)
            assert body["message"]
        async with Operating(cluster) as good:
            await good.vouch(cluster.session())
        assert (await sent(cluster, "GET", "/v1/state", headers=pod))[0] == 200
        assert "Traceback" not in cluster.log()


async def test_an_error_tells_nothing_of_the_software(cluster: Cluster) -> None:
    """No version of a library in any header."""
    with cluster.member():
        connector = aiohttp.TCPConnector(ssl=tls.unverified_context())
        async with aiohttp.ClientSession(connector=connector) as session:
            for path in ("/nowhere", "/v1/genesis"):
                async with session.get(cluster.url + path) as response:
                    assert response.headers["Server"] == "quorate-member"


async def test_connections_that_say_nothing(cluster: Cluster) -> None:
    """Hundreds of silent and of broken connections keep nobody from being served."""
    with cluster.member():
        async with Operating(cluster) as operator, pod_client(cluster) as pod:
            await operator.vouch(cluster.session())
            silent = [await asyncio.open_connection("127.0.0.1", cluster.port) for _ in range(300)]
            for _, writer in silent[::2]:
                writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert (await pod.state("pod-uid-1")).rules.port == 8000
            for _, writer in silent:
                writer.close()
            assert cluster.health("/readyz") == "ok\n"
