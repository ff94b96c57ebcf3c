"""A real member whose committee has changed since the genesis that pods pinned."""

from pathlib import Path

import aiohttp
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate import certificate
from quorate.consensus import epoch as epochs
from quorate.consensus.epoch import RECORD_TAG, Change, EpochRecord
from quorate.consensus.history import EpochUnknown
from quorate.consensus.succession import CertifiedRecord, Endorsement
from quorate.keys import LocalSigner
from quorate_consensus.epochs import ChainFiles, Epochs
from quorate_io import tls
from quorate_io.clock import SystemClock
from tests.integration.consensus.member_process import FIRST, Cluster, pem
from tests.integration.consensus.operating import Operating, pod_client

UID = "pod-uid-1"


def certified(
    cluster: Cluster, member: ed25519.Ed25519PrivateKey, record: EpochRecord
) -> CertifiedRecord:
    """The record, by the only member and the administrator."""
    data = RECORD_TAG + epochs.encode(record)
    by_member = Endorsement(FIRST, member.sign(data))
    by_admin = Endorsement(cluster.admin.public_key.pem, cluster.admin.sign(data))
    return CertifiedRecord(record, (by_member,), (by_admin,))


def rotate(cluster: Cluster, directory: Path) -> Epochs:
    """A chain on disk in which the member has a new key, which it is started with from now on."""
    chain = Epochs(cluster.genesis, ChainFiles(directory))
    fresh = ed25519.Ed25519PrivateKey.generate()
    (seat,) = cluster.genesis.record.seats
    key = LocalSigner(fresh).public_key.pem
    rotated = msgspec.structs.replace(
        cluster.genesis.record,
        number=1,
        previous=cluster.genesis.digest_text,
        change=Change.MEMBERSHIP,
        reason="a new key",
        seats=(msgspec.structs.replace(seat, key=key),),
    )
    chain.extend(certified(cluster, cluster.vote_key, rotated))
    policies = msgspec.structs.replace(
        rotated,
        number=2,
        previous=chain.head.digest_text,
        change=Change.POLICIES,
        reason="other policies",
        policies=f"sha256:{'1' * 64}",
    )
    chain.extend(certified(cluster, fresh, policies))
    cluster.write("key.pem", pem(fresh))
    return chain


@pytest.mark.requirement("members and sidecars trust the chain, from the pinned genesis")
async def test_pods_that_pinned_the_genesis_follow_to_a_member_with_another_key(
    cluster: Cluster, tmp_path: Path
) -> None:
    """TLS, state and certificate are of the newest epoch; who knows the genesis only refuses."""
    directory = tmp_path / "epochs"
    chain = rotate(cluster, directory)
    for _ in ("first start", "restart"):
        with cluster.member("--epochs", str(directory)):
            async with Operating(cluster) as operator, pod_client(cluster) as pod:
                assert (await operator.vouch(cluster.session())).ready
                answer = await operator.evaluate(cluster.floor(), cluster.model())
                assert answer.certificate is not None
                envelope, now = answer.certificate.encode(), SystemClock().now()
                held = certificate.verify(envelope, await pod.history(), now)
                assert held.statement.epoch == chain.head.digest_text
                with pytest.raises(EpochUnknown):
                    certificate.verify(envelope, cluster.history, now)
                assert (await pod.state(UID)).policy_digests == (answer.policy_digest,)


async def test_a_key_of_the_past_starts_no_member(cluster: Cluster, tmp_path: Path) -> None:
    """It would sign what nobody believes: it says so and ends."""
    directory = tmp_path / "epochs"
    rotate(cluster, directory)
    cluster.write("key.pem", pem(cluster.vote_key))
    with pytest.raises(AssertionError), cluster.member("--epochs", str(directory)):
        pass
    assert "is no member's of epoch 2" in cluster.log()


@pytest.mark.requirement("bad input: oversized, truncated, wrong-version messages")
async def test_odd_questions_for_the_chain(cluster: Cluster, tmp_path: Path) -> None:
    """A number, once, or an error; beyond the end there is nothing."""
    directory = tmp_path / "epochs"
    rotate(cluster, directory)
    connector = aiohttp.TCPConnector(ssl=tls.unverified_context())
    with cluster.member("--epochs", str(directory)):
        async with aiohttp.ClientSession(cluster.url, connector=connector) as session:
            for query, status, records in (
                ("", 200, 2),
                ("?after=0", 200, 2),
                ("?after=1", 200, 1),
                ("?after=2", 200, 0),
                ("?after=9007199254740993", 200, 0),
                ("?after=", 400, 0),
                ("?after=-1", 400, 0),
                ("?after=1&after=2", 400, 0),
                ("?before=1", 400, 0),
                ("?after=" + "9" * 17, 400, 0),
                ("?after=%D9%A1", 400, 0),
            ):
                async with session.get(f"/v1/genesis{query}") as response:
                    assert response.status == status, query
                    assert len((await response.json()).get("chain", ())) == records, query
