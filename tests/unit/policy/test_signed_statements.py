"""Certificates and signed states: a quorum, this subject, this time, or nothing."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from quorate import certificate, names, signed_state
from quorate.certificate import PolicyRef
from quorate.consensus.history import EpochUnknown
from quorate.errors import Expired, InvalidInput, QuorateError, SignatureError, SubjectMismatch
from quorate.evidence import dsse
from quorate.policy.runtime import RuntimeRules
from quorate.signed_state import PodSubject, PolicyState, StateDenial, StateDenied, StateStatement
from quorate.statements import encode
from tests.fakes.states import state_of
from tests.fakes.vouching import NOW, Committee, model_files

FILES = model_files()
POLICY = PolicyRef("ClusterSafetyPolicy", None, "floor")
POLICY_DIGEST = f"sha256:{'7' * 64}"
RULES = RuntimeRules(8000, ("/health",), None, 1024, 1024, 60, ())


def test_certificate_round_trip() -> None:
    """What a committee signs verifies, with its voters."""
    committee = Committee(n=3)
    verified = certificate.verify(
        committee.certify(FILES, POLICY, POLICY_DIGEST), committee.history, NOW
    )
    assert verified.statement.manifest_digest == FILES.digest
    assert verified.voters == {key.public_key.key_id for key in committee.keys}


@pytest.mark.parametrize(
    ("now", "error"),
    [
        (NOW + timedelta(minutes=30), Expired),
        (NOW + timedelta(days=1), Expired),
        (NOW - timedelta(seconds=31), Expired),
    ],
)
def test_certificate_outside_its_life(now: datetime, error: type[QuorateError]) -> None:
    """Expired at its end to the instant, and refused from the future beyond the allowed skew."""
    committee = Committee()
    envelope = committee.certify(FILES, POLICY, POLICY_DIGEST)
    with pytest.raises(error):
        certificate.verify(envelope, committee.history, now)


def test_certificate_counts_up_to_its_last_moment() -> None:
    """Inside the skew before, and just before the end, it counts."""
    committee = Committee()
    envelope = committee.certify(FILES, POLICY, POLICY_DIGEST)
    certificate.verify(envelope, committee.history, NOW - timedelta(seconds=29))
    certificate.verify(envelope, committee.history, NOW + timedelta(minutes=29, seconds=59))


def test_certificate_of_another_committee() -> None:
    """A stranger's certificate, or too few votes, does not count."""
    mine, stranger = Committee(n=2), Committee(n=2)
    theirs = stranger.certify(FILES, POLICY, POLICY_DIGEST)
    with pytest.raises(EpochUnknown):
        certificate.verify(theirs, mine.history, NOW)
    statement = certificate.verify(theirs, stranger.history, NOW).statement
    ours = msgspec.structs.replace(statement, epoch=mine.genesis.digest_text)
    for signers in (stranger.keys, mine.keys[:1], [mine.keys[0], stranger.keys[0]]):
        with pytest.raises(SignatureError):
            certificate.verify(certificate.issue(ours, signers), mine.history, NOW)
    certificate.verify(certificate.issue(ours, mine.keys), mine.history, NOW)


def test_certificate_of_another_cluster() -> None:
    """The same keys in another cluster vouch for nothing here."""
    committee = Committee()
    twin = Committee(cluster_id="cluster-2", keys=committee.keys)
    with pytest.raises(SubjectMismatch):
        certificate.verify(twin.certify(FILES, POLICY, POLICY_DIGEST), committee.history, NOW)


def test_certificate_may_not_live_long() -> None:
    """Neither can one be issued, nor does one count, that lives longer than the bound."""
    committee = Committee()
    with pytest.raises(InvalidInput):
        committee.certify(FILES, POLICY, POLICY_DIGEST, life=timedelta(hours=2))
    short = certificate.verify(
        committee.certify(FILES, POLICY, POLICY_DIGEST), committee.history, NOW
    ).statement
    eternal = msgspec.structs.replace(short, expires_at=NOW + timedelta(days=999))
    envelope = dsse.sign(encode(eternal), names.CERTIFICATE_TYPE, committee.keys)
    with pytest.raises(InvalidInput):
        certificate.verify(envelope, committee.history, NOW)


def test_state_is_not_a_certificate() -> None:
    """A committee's signature under one type does not count under the other."""
    committee = Committee()
    envelope = committee.certify(FILES, POLICY, POLICY_DIGEST)
    with pytest.raises(InvalidInput):
        state_of(envelope, committee.history, "uid", NOW)


@dataclass
class World:
    committee: Committee
    statement: StateStatement

    def verify(self, now: datetime = NOW, uid: str = "pod-uid", **changes: Any) -> Any:
        statement = msgspec.structs.replace(self.statement, **changes)
        envelope = signed_state.issue(statement, self.committee.keys)
        return state_of(envelope, self.committee.history, uid, now)


@pytest.fixture
def world() -> World:
    committee = Committee()
    envelope = committee.certify(FILES, POLICY, POLICY_DIGEST, life=timedelta(minutes=3))
    statement = StateStatement(
        cluster_id=committee.cluster_id,
        epoch=committee.genesis.digest_text,
        pod=PodSubject("pod-uid", "team-a", "demo-0", "demo"),
        manifest_digest=FILES.digest,
        rules=RULES,
        policies=(PolicyState(POLICY, POLICY_DIGEST, envelope.decode()),),
        revoked=(),
        denial=None,
        issued_at=NOW,
        expires_at=NOW + timedelta(minutes=10),
    )
    return World(committee, statement)


def test_state_lives_as_long_as_its_shortest_part(world: World) -> None:
    """A certificate that ends before the state ends the state."""
    state = world.verify()
    assert state.rules == RULES
    assert state.expires_at == NOW + timedelta(minutes=3)


def certificate_id(world: World) -> str:
    envelope = world.statement.policies[0].certificate.encode()
    return certificate.verify(envelope, world.committee.history, NOW).certificate_id


@pytest.mark.requirement("missing, expired, mismatched, malformed: DENY")
def test_state_denials(world: World) -> None:
    """Every way in which a state does not allow this pod."""
    bare = PolicyState(POLICY, POLICY_DIGEST, "")
    stale = PolicyState(POLICY, f"sha256:{'8' * 64}", world.statement.policies[0].certificate)
    cases: list[tuple[dict[str, Any], type[QuorateError]]] = [
        ({"uid": "another"}, SubjectMismatch),
        ({"now": NOW + timedelta(minutes=10)}, Expired),
        ({"now": NOW + timedelta(minutes=3)}, Expired),
        ({"cluster_id": "another"}, SubjectMismatch),
        ({"denial": StateDenial("GateFailed", "red team failed")}, StateDenied),
        ({"rules": None}, InvalidInput),
        ({"policies": ()}, InvalidInput),
        ({"policies": (bare,)}, StateDenied),
        ({"policies": (stale,)}, SubjectMismatch),
        ({"manifest_digest": model_files("9").digest}, SubjectMismatch),
        ({"pod": PodSubject("pod-uid", "team-a", "demo-0", "other")}, SubjectMismatch),
        ({"pod": PodSubject("pod-uid", "team-b", "demo-0", "demo")}, SubjectMismatch),
        ({"revoked": (certificate_id(world),)}, StateDenied),
    ]
    for changes, error in cases:
        with pytest.raises(error):
            world.verify(**changes)


def test_state_by_a_stranger(world: World) -> None:
    """A state that another committee signed is no state."""
    envelope = signed_state.issue(world.statement, Committee().keys)
    with pytest.raises(SignatureError):
        state_of(envelope, world.committee.history, "pod-uid", NOW)
