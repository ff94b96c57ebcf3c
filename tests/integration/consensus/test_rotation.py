"""Certificates rotate while clients talk: nobody notices."""

import asyncio
import ssl
from collections.abc import AsyncIterator

import aiohttp
import pytest

from quorate_io import member_api, tls
from quorate_io.clock import SystemClock
from quorate_io.member_channel import MemberRefused
from quorate_io.member_trust import Followed, establish, read
from tests.integration.consensus.member_process import Cluster
from tests.integration.consensus.operating import Operating, pod_client

UID = "pod-uid-1"


async def trusted_context(cluster: Cluster) -> ssl.SSLContext:
    """What a client trusts after its bootstrap."""
    async with aiohttp.ClientSession() as session:
        url = cluster.url + member_api.GENESIS_PATH
        async with session.get(url, ssl=tls.unverified_context()) as response:
            answer = await response.read()
    found = read(answer)
    history = Followed(cluster.genesis.digest_text).follow(found)
    trust = establish(found, history, SystemClock().now())
    return tls.client_context(trust.authorities)


async def serials(cluster: Cluster, context: ssl.SSLContext, seconds: float) -> AsyncIterator[str]:
    """Connect again and again, and give the serial number of each certificate that was served."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        _, writer = await asyncio.open_connection("127.0.0.1", cluster.port, ssl=context)
        yield writer.get_extra_info("peercert")["serialNumber"]
        writer.close()
        await asyncio.sleep(0.02)


@pytest.mark.requirement("certificate rotation under traffic: no failed request")
async def test_the_serving_certificate_rotates_under_traffic(cluster: Cluster) -> None:
    """Over several leafs, with new connections and kept ones, every request is answered."""
    with cluster.member("--leaf-life", "3"):
        context = await trusted_context(cluster)
        async with Operating(cluster) as operator, pod_client(cluster) as pod:
            await operator.vouch(cluster.session())
            answered = 0

            async def ask() -> None:
                nonlocal answered
                for _ in range(60):  # the bound per pod and window
                    await pod.state(UID)
                    answered += 1
                    await asyncio.sleep(0.15)

            asking = asyncio.create_task(ask())
            seen = [serial async for serial in serials(cluster, context, 9)]
            await asking
    assert answered == 60
    assert len(set(seen)) >= 4
    assert len(seen) > 100


async def test_a_pod_that_asks_in_a_loop_is_slowed(cluster: Cluster) -> None:
    """Beyond its share one pod is told to wait; the operator is not."""
    with cluster.member():
        async with Operating(cluster) as operator, pod_client(cluster) as pod:
            await operator.vouch(cluster.session())

            async def loop() -> None:
                for _ in range(150):
                    await pod.state(UID)

            with pytest.raises(MemberRefused) as refused:
                await loop()
            assert refused.value.status == 429
            assert (await operator.evaluate(cluster.floor(), cluster.model())).certificate
