"""A real member process: what pods report of themselves, and what the operator reads of it."""

import asyncio
import json
import time
from datetime import UTC, datetime

import msgspec
import pytest

from quorate.alerts import Rule
from quorate_consensus.shedding import REQUESTS_PER_WINDOW
from quorate_io import member_api
from quorate_io.member_api import Failure, ObservedBatch, Report
from quorate_io.member_channel import MemberRefused
from tests.integration.consensus.member_process import Cluster
from tests.integration.consensus.operating import Operating, pod_client
from tests.integration.consensus.test_bad_requests import bearer, sent

UID = "pod-uid-1"
SINCE = datetime(2026, 11, 21, 12, tzinfo=UTC)
LISTENER = Report(rule=Rule.FOREIGN_LISTENER, message="0.0.0.0:9000", since=SINCE)


@pytest.mark.requirement("what a sidecar reports goes to a member; the operator reads the members")
async def test_a_report_reaches_the_operator_at_once(cluster: Cluster) -> None:
    """The operator's waiting question is answered by it, and by its end; a metric counts it."""
    with cluster.member():
        async with Operating(cluster) as operator, pod_client(cluster) as pod:
            await operator.observe(cluster.session())
            first = await operator.reports()
            assert (first.whole, first.pods) == (True, ())
            waiting = asyncio.create_task(operator.reports(first.cursor))
            await asyncio.sleep(0.3)
            assert not waiting.done()
            began = time.monotonic()
            assert await pod.report([LISTENER]) == 1
            answer = await waiting
            assert time.monotonic() - began < 2
            (told,) = answer.pods
            assert (told.uid, told.namespace, told.name) == (UID, "team-a", "chat-0")
            assert told.reports == (LISTENER,)
            metric = 'quorate_member_reporting_pods{rule="ForeignListener"}'
            assert f"{metric} 1.0" in cluster.health("/metrics")
            assert await pod.report([]) == 0
            ended = await operator.reports(answer.cursor)
            assert ended.pods[0].reports[0].until is not None
            assert f"{metric} 0.0" in cluster.health("/metrics")


@pytest.mark.requirement("a report names only the caller's own pod")
async def test_nobody_reports_another_pod(cluster: Cluster) -> None:
    """A token of an unknown pod is refused, and a body cannot name one."""
    report = msgspec.to_builtins(LISTENER) | {"rule": "ForeignListener"}
    with cluster.member():
        async with Operating(cluster) as operator:
            await operator.observe(cluster.session())
            cluster.write("other.token", cluster.pod_token(uid="pod-uid-2").encode())
            cluster.write("renamed.token", cluster.pod_token(namespace="team-b").encode())
            for who in ("other", "renamed", "operator"):
                async with pod_client(cluster, who) as stranger:
                    with pytest.raises(MemberRefused) as refused:
                        await stranger.report([LISTENER])
                assert refused.value.reason == Failure.POD_UNKNOWN
            pod = bearer(cluster, "pod")
            for body, status in (
                ({"reports": [], "uid": "pod-uid-2"}, 400),
                ({"reports": [report | {"uid": "pod-uid-2"}]}, 400),
                ({"reports": [report | {"rule": "WebhookDown"}]}, 400),
                ({"reports": [report, report]}, 400),
                ({"reports": [report] * 1000}, 413),
                ({"reports": [report | {"message": "x" * 100_000}]}, 413),
                ({"reports": [report | {"message": "\x1b[2Jgone"}]}, 400),
            ):
                found, _ = await sent(
                    cluster, "POST", member_api.REPORTS_PATH, headers=pod, data=json.dumps(body)
                )
                assert (found, body) == (status, body)
            assert (await operator.reports()).pods == ()


async def test_a_pod_that_is_gone_is_forgotten(cluster: Cluster) -> None:
    """Its reports go with it, and its token no longer counts."""
    with cluster.member():
        async with Operating(cluster) as operator, pod_client(cluster) as pod:
            await operator.observe(cluster.session())
            await pod.report([LISTENER])
            await operator.observe(ObservedBatch(session="s", sequence=2, removed_pods=(UID,)))
            assert (await operator.reports()).pods == ()
            with pytest.raises(MemberRefused) as refused:
                await pod.report([LISTENER])
            assert refused.value.reason == Failure.POD_UNKNOWN


async def test_a_flood_of_reports_is_shed(cluster: Cluster) -> None:
    """One pod's share is bounded, and others are answered meanwhile."""
    with cluster.member():
        async with Operating(cluster) as operator, pod_client(cluster) as pod:
            await operator.observe(cluster.session())
            refusals = []
            for _ in range(2 * REQUESTS_PER_WINDOW):
                try:
                    await pod.report([LISTENER])
                except MemberRefused as error:
                    refusals.append(error.reason)
            assert set(refusals) == {Failure.TOO_MANY_REQUESTS}
            assert len((await operator.reports()).pods) == 1


async def test_a_member_that_ends_lets_nobody_wait(cluster: Cluster) -> None:
    """The operator's question does not hold up its end; a new one asks to begin again."""
    async with Operating(cluster) as operator:
        with cluster.member() as process:
            await operator.observe(cluster.session())
            first = await operator.reports()
            waiting = asyncio.create_task(operator.reports(first.cursor))
            await asyncio.sleep(0.3)
            began = time.monotonic()
            process.terminate()
            await waiting
            await asyncio.to_thread(process.wait, 10)
            assert time.monotonic() - began < 5
        with cluster.member():
            assert (await operator.reports(first.cursor)).whole
