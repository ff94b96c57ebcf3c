"""Certificates: for whom, how long, and when a new one is worth its signature."""

from datetime import timedelta

import pytest

from quorate import certificate
from quorate.errors import InvalidInput
from quorate.verdict import Reason
from quorate_consensus.epochs import Epochs
from quorate_consensus.issuing import DENIED_SECONDS, Committee, Standing, judge
from quorate_consensus.relay import read_model, read_policy
from tests.fakes import vouching
from tests.fakes.vouching import NOW
from tests.unit.consensus.scene import FILES, Scene

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def issued(standing: Standing) -> tuple[timedelta, timedelta]:
    """Life of the certificate, and when the standing is looked at again, from NOW."""
    assert standing.certificate is not None
    return standing.certificate.expires_at - NOW, standing.renew_at - NOW


@pytest.mark.requirement("a member re-verifies the evidence itself and signs certificates")
def test_a_model_that_holds_is_certified() -> None:
    """The certificate verifies against the genesis and names exactly what was judged."""
    scene = Scene()
    policy, model = read_policy(scene.floor()), read_model(scene.model())
    standing = judge(scene.committee, policy, model, NOW)
    assert standing.certificate is not None
    verified = certificate.verify(
        standing.certificate.envelope.encode(), scene.members.history, NOW
    )
    assert verified.certificate_id == standing.certificate.certificate_id
    assert verified.statement.evidence == standing.evaluation.evidence
    assert len(verified.statement.evidence) == 2
    certificate.check_subject(
        verified.statement,
        namespace="team-a",
        model="demo",
        manifest_digest=FILES.digest,
        policy=policy.ref,
        policy_digest=policy.digest,
    )


@pytest.mark.parametrize(
    ("configured", "gate_left", "life", "renew"),
    [
        (3600, 20 * HOUR, HOUR, HOUR / 2),
        (360, 20 * HOUR, 360 * SECOND, 180 * SECOND),
        (3600, 40 * 60 * SECOND, 2400 * SECOND, HOUR / 2),
        (3600, 600 * SECOND, 600 * SECOND, 600 * SECOND),
        (3600, SECOND, SECOND, SECOND),
    ],
)
def test_life_of_a_certificate(
    configured: int, gate_left: timedelta, life: timedelta, renew: timedelta
) -> None:
    """The configured life, unless evidence ages first; renewed at half of the configured life."""
    scene = Scene(certificate_life=configured)
    finished = NOW + gate_left - timedelta(days=1)
    policy, model = read_policy(scene.floor()), read_model(scene.model(finished_at=finished))
    assert issued(judge(scene.committee, policy, model, NOW)) == (life, renew)


def test_evidence_that_aged_out_is_not_certified() -> None:
    """At the instant the gate's age is reached there is no certificate and a short memory."""
    scene = Scene()
    policy = read_policy(scene.floor())
    model = read_model(scene.model(finished_at=NOW - timedelta(days=1)))
    standing = judge(scene.committee, policy, model, NOW)
    assert standing.certificate is None
    assert [d.reason for d in standing.evaluation.verdict.denials] == [Reason.GATE_EXPIRED]
    assert standing.renew_at == NOW + DENIED_SECONDS * SECOND


def test_a_certificate_is_renewed_only_for_a_longer_life() -> None:
    """At half of its life it is replaced; one that evidence bounds is kept to its end."""
    scene = Scene()
    policy, model = read_policy(scene.floor()), read_model(scene.model())
    first = judge(scene.committee, policy, model, NOW)
    second = judge(scene.committee, policy, model, NOW + HOUR / 2, first)
    assert second.certificate is not None
    assert second.certificate.expires_at == NOW + HOUR * 3 / 2
    bounded = read_model(scene.model(finished_at=NOW + 2400 * SECOND - timedelta(days=1)))
    first = judge(scene.committee, policy, bounded, NOW)
    second = judge(scene.committee, policy, bounded, NOW + HOUR / 2, first)
    assert second.certificate is first.certificate
    assert second.renew_at == NOW + 2400 * SECOND


def test_a_certificate_for_another_version_is_not_kept() -> None:
    """A policy or a model that changed needs its own certificate, however long the old one."""
    scene = Scene()
    policy, model = read_policy(scene.floor()), read_model(scene.model())
    first = judge(scene.committee, policy, model, NOW)
    stricter = read_policy(scene.floor(limits={"requestsPerMinute": 1}))
    second = judge(scene.committee, stricter, model, NOW, first)
    assert second.certificate is not None
    assert first.certificate is not None
    assert second.certificate.certificate_id != first.certificate.certificate_id


def test_a_policy_that_asks_nothing_of_the_model() -> None:
    """Without signers or gates the certificate is for the model's own manifest digest."""
    scene = Scene()
    tenant = read_policy(vouching.policy({}, name="tenant", namespace="team-a"))
    standing = judge(scene.committee, tenant, read_model(scene.model()), NOW)
    assert standing.certificate is not None
    verified = certificate.verify(
        standing.certificate.envelope.encode(), scene.members.history, NOW
    )
    assert verified.statement.manifest_digest == FILES.digest
    assert standing.evaluation.manifest is None


@pytest.mark.parametrize(("certificates", "states"), [(0, 1), (3601, 1), (1, 0), (1, 601)])
def test_lives_beyond_the_limits(certificates: int, states: int) -> None:
    """No configuration makes anything live longer than the limits say."""
    members = vouching.Committee()
    with pytest.raises(InvalidInput):
        Committee(Epochs(members.genesis), members.keys[0], certificates, states)
