"""Votes: for whom, for how long, and the same bytes from whoever judges the same."""

from datetime import timedelta

import pytest

from quorate import certificate
from quorate.certificate import Certificate
from quorate.errors import InvalidInput
from quorate.evidence import dsse
from quorate.verdict import Reason
from quorate_consensus.epochs import Epochs
from quorate_consensus.issuing import DENIED_SECONDS, Committee, Vote, judge, vote
from quorate_consensus.relay import read_model, read_policy
from tests.fakes import vouching
from tests.fakes.vouching import NOW
from tests.unit.consensus.scene import FILES, Scene

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def verified(scene: Scene, found: Vote) -> Certificate:
    """The certificate that the vote of a committee of one is."""
    assert found.envelope is not None
    return certificate.verify(found.envelope.encode(), scene.members.history, NOW)


@pytest.mark.requirement("a member re-verifies the evidence itself and signs certificates")
def test_a_model_that_holds_is_voted_for() -> None:
    """The vote verifies against the genesis and names exactly what was judged, and when."""
    scene = Scene()
    policy, model = read_policy(scene.floor()), read_model(scene.model())
    found = vote(scene.committee, policy, model, NOW)
    statement = verified(scene, found).statement
    assert statement.evidence == found.evaluation.evidence
    assert len(statement.evidence) == 2
    assert (statement.issued_at, statement.expires_at) == (NOW, found.expires_at)
    certificate.check_subject(
        statement,
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
    found = vote(scene.committee, policy, model, NOW)
    assert (found.expires_at, found.renew_at) == (NOW + life, NOW + renew)
    assert judge(scene.committee, policy, model, NOW).renew_at == NOW + renew


def test_evidence_that_aged_out_gets_no_vote() -> None:
    """At the instant the gate's age is reached there is no vote and a short memory."""
    scene = Scene()
    policy = read_policy(scene.floor())
    model = read_model(scene.model(finished_at=NOW - timedelta(days=1)))
    found = vote(scene.committee, policy, model, NOW)
    assert (found.envelope, found.expires_at) == (None, None)
    assert [d.reason for d in found.evaluation.verdict.denials] == [Reason.GATE_EXPIRED]
    assert found.renew_at == NOW + DENIED_SECONDS * SECOND
    assert not judge(scene.committee, policy, model, NOW).allowed


@pytest.mark.requirement("certificates carry votes of members on one identical statement")
def test_all_members_sign_the_same_bytes() -> None:
    """Whenever each of them is asked: the time is the asker's. Another time, other bytes."""
    members = vouching.Committee(n=5)
    scene = Scene(members=members)
    committees = [Committee(Epochs(members.genesis), key, 3600, 600) for key in members.keys]
    policy, model = read_policy(scene.floor()), read_model(scene.model())

    def payloads(*seconds: int) -> set[bytes]:
        votes = [vote(c, policy, model, NOW + s * SECOND) for c in committees for s in seconds]
        texts = [one.envelope for one in votes if one.envelope]
        assert len(set(texts)) == len(committees) * len(seconds)
        return {dsse.parse(text.encode(), bytes_max=32_768).payload for text in texts}

    assert len(payloads(0)) == 1
    assert len(payloads(0, 1)) == 2


def test_evidence_is_judged_as_of_the_time_that_was_asked_for() -> None:
    """What ages out a second later still counts, and bounds the life."""
    scene = Scene()
    policy = read_policy(scene.floor())
    model = read_model(scene.model(finished_at=NOW - timedelta(days=1) + SECOND))
    assert vote(scene.committee, policy, model, NOW).expires_at == NOW + SECOND
    assert vote(scene.committee, policy, model, NOW + SECOND).envelope is None


def test_a_certificate_is_for_one_version() -> None:
    """A policy that changed needs another one."""
    scene = Scene()
    model = read_model(scene.model())
    stricter = scene.floor(limits={"requestsPerMinute": 1})
    ids = {
        verified(scene, vote(scene.committee, read_policy(floor), model, NOW)).certificate_id
        for floor in (scene.floor(), stricter)
    }
    assert len(ids) == 2


def test_a_policy_that_asks_nothing_of_the_model() -> None:
    """Without signers or gates the certificate is for the model's own manifest digest."""
    scene = Scene()
    tenant = read_policy(vouching.policy({}, name="tenant", namespace="team-a"))
    found = vote(scene.committee, tenant, read_model(scene.model()), NOW)
    assert verified(scene, found).statement.manifest_digest == FILES.digest
    assert found.evaluation.manifest is None


@pytest.mark.parametrize(("certificates", "states"), [(0, 1), (3601, 1), (1, 0), (1, 601)])
def test_lives_beyond_the_limits(certificates: int, states: int) -> None:
    """No configuration makes anything live longer than the limits say."""
    members = vouching.Committee()
    with pytest.raises(InvalidInput):
        Committee(Epochs(members.genesis), members.keys[0], certificates, states)
