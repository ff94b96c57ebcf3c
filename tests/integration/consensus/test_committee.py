"""Five real member processes: what they certify and say together, with some of them away."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from quorate import certificate, receipt
from quorate.evidence import dsse
from quorate_io.committee_client import CommitteeClient
from tests.fakes import receipts
from tests.integration.consensus.member_process import Cluster
from tests.integration.consensus.operating import Operating, pod_client

UID = receipts.POD_UID


@pytest.fixture
def five(tmp_path: Path) -> Cluster:
    """Files and keys for five members, of whom one may lie."""
    return Cluster(tmp_path, n=5)


@contextlib.asynccontextmanager
async def clients(cluster: Cluster) -> AsyncIterator[tuple[Operating, CommitteeClient]]:
    """An operator, and a pod."""
    async with Operating(cluster) as operator, pod_client(cluster) as pod:
        yield operator, pod


async def receipt_of(cluster: Cluster, pod: CommitteeClient) -> receipt.Receipt:
    """A receipt for a new session key, verified."""
    key, now = receipts.session_key(), datetime.now(UTC).replace(microsecond=0)
    envelope = await pod.receipt(receipts.request(key, now))
    return receipt.verify(
        envelope,
        cluster.history,
        pod_uid=UID,
        session_key=key.public_key.pem,
        manifest_digest=receipts.FILES.digest,
        now=datetime.now(UTC),
    )


@pytest.mark.requirement("certificates carry q signatures of members that judged themselves")
@pytest.mark.requirement("receipts carry q signatures of members")
async def test_with_one_away_the_committee_decides_and_with_two_it_does_not(five: Cluster) -> None:
    """Five up, one stopped, two ended: certificates and receipts take four, states two."""
    with five.members("--state-life", "60") as running:
        async with clients(five) as (operator, pod):
            session = five.session()
            await operator.vouch(session)
            (policy,), (model,) = session.policies, session.models
            found = await operator.evaluate(policy, model)
            assert found.certificate is not None, found
            held = certificate.verify(found.certificate.encode(), five.history, datetime.now(UTC))
            assert len(held.voters) >= 4
            assert len(dsse.parse(found.certificate.encode()).signatures) == len(held.voters)
            state = await pod.state(UID)
            assert state.policy_digests == (found.policy_digest,)
            assert (await receipt_of(five, pod)).policy_digests == (found.policy_digest,)

            await operator.tell()
            # Stopped: it takes connections and never answers.
            running["2"].send_signal(signal.SIGSTOP)
            began = time.monotonic()
            await pod.state(UID)
            assert (await operator.evaluate(policy, model)).certificate is not None
            await receipt_of(five, pod)
            assert time.monotonic() - began < 4
            running["2"].send_signal(signal.SIGCONT)

            running["2"].terminate()
            running["3"].terminate()
            await asyncio.gather(*(asyncio.to_thread(running[name].wait, 15) for name in "23"))
            lost = await operator.evaluate(policy, model)
            assert (lost.certificate, lost.answered, lost.members) == (None, 3, 5)
            assert lost.reason == "MemberUnavailable"
            assert "3 of 5 members answered" in lost.failure
            assert (await pod.state(UID)).rules == state.rules


@pytest.mark.requirement("one lying member decides nothing alone")
async def test_one_member_that_was_told_otherwise(five: Cluster) -> None:
    """It never heard of the certificate: the others' word is the pod's state, and its receipt."""
    with five.members("--state-life", "60"):
        async with clients(five) as (operator, pod):
            session = five.session()
            await operator.vouch(session)
            links = {link.name: link for link in operator.client.members()}
            await links["4"].observe(five.session("another"))
            assert (await pod.state(UID)).rules.port == 8000
            await receipt_of(five, pod)
