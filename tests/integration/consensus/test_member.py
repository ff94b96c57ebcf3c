"""A real member process: what operator and sidecars get from it, and what others do not."""

import asyncio
import subprocess
from datetime import timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate import certificate
from quorate.certificate import PolicyRef
from quorate.errors import SubjectMismatch
from quorate.evidence.intoto import Outcome
from quorate.signed_state import StateDenied
from quorate.verdict import Reason
from quorate_io.clock import SystemClock
from quorate_io.member_api import Failure, ObjectKey, ObservedBatch
from quorate_io.member_channel import MemberRefused
from tests.fakes import vouching
from tests.fakes.service_account import EcKey, claims, key_set, token
from tests.integration.consensus.member_process import Cluster, pem
from tests.integration.consensus.operating import Operating, pod_client

UID = "pod-uid-1"


@pytest.mark.requirement("a member re-verifies the evidence itself and signs certificates")
@pytest.mark.requirement("a member serves the signed state against a projected token")
async def test_from_evidence_to_a_pods_state(cluster: Cluster) -> None:
    """Operator relays and asks; the pod gets a state that verifies, and its model's manifest."""
    with cluster.member("--state-life", "60", "--certificate-life", "360"):
        async with Operating(cluster) as operator, pod_client(cluster) as pod:
            session = cluster.session()
            assert (await operator.observe(session)).ready
            with pytest.raises(MemberRefused, match="was not collected yet") as early:
                await pod.state(UID)
            assert early.value.reason == Failure.NOT_READY
            answer = await operator.evaluate(session.policies[0], session.models[0])
            assert {r.name: r.status for r in answer.requirements} == {
                "Signed": "True",
                "Gate/red-team": "True",
            }
            assert answer.certificate is not None
            model = session.models[0] | {"certificates": [answer.certificate]}
            await operator.observe(ObservedBatch(session="s", sequence=2, models=(model,)))
            now = SystemClock().now()
            held = certificate.verify(answer.certificate.encode(), cluster.history, now)
            assert held.statement.policy == PolicyRef("ClusterSafetyPolicy", None, "floor")
            state = await pod.state(UID)
            assert state.policy_digests == (answer.policy_digest,)
            assert timedelta(50) > state.expires_at - now > timedelta(seconds=50)
            manifest = await pod.manifest(state.manifest_digest)
            assert manifest.files == vouching.model_files().files


@pytest.mark.requirement("gate FAILED: denied with its reason; certificates are revoked")
async def test_a_failed_gate_reaches_the_pod(cluster: Cluster) -> None:
    """As soon as the operator relays the newer FAILED result, the pod's state denies."""
    with cluster.member():
        async with Operating(cluster) as operator, pod_client(cluster) as pod:
            await operator.vouch(cluster.session())
            await pod.state(UID)
            failed = cluster.model(result=Outcome.FAILED)
            await operator.observe(ObservedBatch(session="s", sequence=2, models=(failed,)))
            with pytest.raises(StateDenied) as denial:
                await pod.state(UID)
            assert denial.value.reason == Reason.GATE_FAILED
            answer = await operator.evaluate(cluster.floor(), failed)
            results = {r.name: (r.status, r.reason) for r in answer.requirements}
            assert results["Gate/red-team"] == ("False", "GateFailed")
            assert answer.certificate is None
            assert "quorate_member_revocations_total 1.0" in cluster.health("/metrics")


@pytest.mark.requirement("gate FAILED: denied with its reason; certificates are revoked")
async def test_a_vote_against_a_model_revokes(cluster: Cluster) -> None:
    """Before any pod asks: what was relayed for the model, once, and what comes after it."""
    revoked = "quorate_member_revocations_total"
    with cluster.member():
        async with Operating(cluster) as operator:
            await operator.vouch(cluster.session())
            await operator.evaluate(cluster.floor(), cluster.model())
            assert f"{revoked} 0.0" in cluster.health("/metrics")
            for _ in range(2):
                await operator.evaluate(cluster.floor(), cluster.model(result=Outcome.FAILED))
            metrics = cluster.health("/metrics")
            assert f"{revoked} 1.0" in metrics
            assert 'relayed_certificates_total{outcome="verified"} 1.0' in metrics


@pytest.mark.requirement("key removed from the policy: the condition flips")
async def test_a_key_removed_from_the_policy(cluster: Cluster) -> None:
    """The same model no longer holds the policy, for the operator and for the pod."""
    with cluster.member():
        async with Operating(cluster) as operator, pod_client(cluster) as pod:
            session = cluster.session()
            await operator.vouch(session)
            before = await operator.evaluate(session.policies[0], session.models[0])
            assert before.certificate is not None
            await pod.state(UID)
            cluster.owner = vouching.signer()
            tightened = cluster.floor()
            after = await operator.evaluate(tightened, session.models[0])
            signed = next(r for r in after.requirements if r.name == "Signed")
            assert (signed.status, signed.reason) == ("False", Reason.SIGNER_NOT_TRUSTED)
            assert "quorate sign" in signed.fix
            assert after.certificate is None
            await operator.observe(ObservedBatch(session="s", sequence=2, policies=(tightened,)))
            with pytest.raises(StateDenied) as denial:
                await pod.state(UID)
            assert denial.value.reason == Reason.SIGNER_NOT_TRUSTED


@pytest.mark.requirement("a member accepts a token only for a pod UID it knows as protected")
async def test_pods_the_member_does_not_know(cluster: Cluster) -> None:
    """A genuine token of another pod, or of one that is gone, gets nothing."""
    with cluster.member():
        async with Operating(cluster) as operator, pod_client(cluster) as pod:
            await operator.vouch(cluster.session())
            await pod.state(UID)
            cluster.write("other.token", cluster.pod_token(uid="pod-uid-2").encode())
            cluster.write("renamed.token", cluster.pod_token(namespace="team-b").encode())
            for who in ("other", "renamed"):
                async with pod_client(cluster, who) as stranger:
                    with pytest.raises(MemberRefused) as refused:
                        await stranger.state(UID)
                assert refused.value.reason == Failure.POD_UNKNOWN
            await operator.observe(ObservedBatch(session="s", sequence=2, removed_pods=(UID,)))
            with pytest.raises(MemberRefused) as refused:
                await pod.state(UID)
            assert (refused.value.status, refused.value.reason) == (403, Failure.POD_UNKNOWN)


async def test_only_the_operator_may_relay_and_ask(cluster: Cluster) -> None:
    """A sidecar's token opens neither of the operator's paths."""
    with cluster.member():
        async with Operating(cluster, "pod") as pod:
            with pytest.raises(MemberRefused) as refused:
                await pod.observe(cluster.session())
            assert refused.value.reason == Failure.FORBIDDEN
            answer = await pod.evaluate(cluster.floor(), cluster.model())
            assert (answer.certificate, answer.requirements) == (None, ())
            assert "is not the operator" in answer.failure


@pytest.mark.requirement("member restart: no failed request")
async def test_a_member_restarts(cluster: Cluster) -> None:
    """The same clients go on: NotReady until the operator has told everything again, then served.

    The certificate and state a client already has stay valid: the keys are the same.
    """
    async with Operating(cluster) as operator, pod_client(cluster) as pod:
        with cluster.member():
            await operator.vouch(cluster.session())
            before = await pod.state(UID)
        with cluster.member():
            with pytest.raises(MemberRefused) as refused:
                await pod.state(UID)
            assert refused.value.reason == Failure.NOT_READY
            with pytest.raises(MemberRefused) as refused:
                await operator.observe(ObservedBatch(session="s", sequence=2))
            assert refused.value.reason == Failure.RESYNC_NEEDED
            await operator.vouch(cluster.session("t"))
            after = await pod.state(UID)
    assert before.rules == after.rules


async def test_another_genesis_is_not_believed(cluster: Cluster) -> None:
    """A pod injected for another installation says so, and sends no token."""
    with cluster.member():
        async with pod_client(cluster, digest=f"sha256:{'0' * 64}") as pod:
            with pytest.raises(SubjectMismatch, match="not the pinned"):
                await pod.state(UID)
        assert 'route="/v1/state"' not in cluster.health("/metrics")


@pytest.mark.parametrize("broken", ["key.pem", "genesis.json", "jwks.json"])
def test_a_member_with_unusable_files_does_not_start(cluster: Cluster, broken: str) -> None:
    """A stranger's key, no genesis, no token keys: it says why and exits with 2."""
    stranger = pem(ed25519.Ed25519PrivateKey.generate())
    cluster.write(broken, stranger if broken == "key.pem" else b"{}")
    ended = subprocess.run(cluster.command(), capture_output=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert b"cannot start" in ended.stderr
    if broken == "key.pem":
        assert b"is no member's of epoch 0" in ended.stderr


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--state-life", "601"),
        ("--certificate-life", "3601"),
        ("--certificate-life", "0"),
        ("--leaf-life", "0"),
        ("--listen", "nowhere"),
    ],
)
def test_settings_outside_their_bounds(cluster: Cluster, option: str, value: str) -> None:
    """No setting can make anything live longer than the limits say."""
    ended = subprocess.run(
        cluster.command(option, value), capture_output=True, timeout=30, check=False
    )
    assert ended.returncode == 2
    assert b"must be" in ended.stderr


async def test_two_hundred_pods_start_at_once(cluster: Cluster) -> None:
    """All get their state; the evidence was verified once for all of them, and once for a vote."""
    pods = tuple(
        msgspec.structs.replace(cluster.pod(), uid=f"uid-{n}", name=f"chat-{n}") for n in range(200)
    )
    for n, pod in enumerate(pods):
        cluster.write(f"{n}.token", cluster.pod_token(uid=pod.uid, pod=pod.name).encode())
    with cluster.member():
        async with Operating(cluster) as operator:
            await operator.vouch(msgspec.structs.replace(cluster.session(), pods=pods))

        async def start(n: int) -> str:
            async with pod_client(cluster, str(n)) as client:
                return (await client.state(f"uid-{n}")).manifest_digest

        digests = await asyncio.gather(*(start(n) for n in range(200)))
        assert set(digests) == {vouching.model_files().digest}
        assert 'judgements_total{outcome="certified"} 2.0' in cluster.health("/metrics")


async def test_a_policy_that_cannot_be_used_denies(cluster: Cluster) -> None:
    """The operator hears which object it is; the pod hears why it is denied."""
    odd = vouching.policy({"model": 1}, name="odd", namespace="team-a")
    with cluster.member():
        async with Operating(cluster) as operator, pod_client(cluster) as pod:
            await operator.vouch(cluster.session())
            answer = await operator.observe(ObservedBatch(session="s", sequence=2, policies=(odd,)))
            assert [problem.object for problem in answer.problems] == ["SafetyPolicy/team-a/odd"]
            with pytest.raises(StateDenied) as denial:
                await pod.state(UID)
            assert denial.value.reason == Reason.INVALID_POLICY
            key = ObjectKey(kind="SafetyPolicy", namespace="team-a", name="odd")
            await operator.observe(ObservedBatch(session="s", sequence=3, removed=(key,)))
            await pod.state(UID)


async def test_token_keys_are_replaced_while_serving(cluster: Cluster) -> None:
    """After the cluster's signing key was rotated and pinned, only the new key's tokens count."""
    fresh = EcKey()
    new_token = token(fresh, claims(now=SystemClock().now()))
    cluster.write("new.token", new_token.encode())
    with cluster.member():
        async with (
            Operating(cluster) as operator,
            pod_client(cluster) as old,
            pod_client(cluster, "new") as new,
        ):
            await operator.vouch(cluster.session())
            with pytest.raises(MemberRefused) as refused:
                await new.state(UID)
            assert refused.value.reason == Failure.UNAUTHENTICATED
            cluster.write("jwks.json", key_set(fresh))
            async with asyncio.timeout(20):
                while "token keys in use: ec-1" not in cluster.log():  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
            await new.state(UID)
            with pytest.raises(MemberRefused) as refused:
                await old.state(UID)
            assert refused.value.reason == Failure.UNAUTHENTICATED
