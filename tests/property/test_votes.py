"""What members sign together: whatever is relayed, whenever each of them answers."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.certificate import Certificate
from quorate.consensus.thresholds import Thresholds
from quorate.errors import Unavailable
from quorate.receipt import ReceiptStatement, issue
from quorate_consensus import receipt_content
from quorate_consensus.collected import Collected, certificates_for
from quorate_consensus.epochs import Epochs
from quorate_consensus.issuing import Committee, vote
from quorate_consensus.receipt_content import RECEIPT_HEARD
from quorate_consensus.relay import read_model, read_policy
from quorate_io.member_api import CERTIFICATES_FIELD
from tests.fakes import receipts, vouching
from tests.fakes.vouching import NOW
from tests.unit.consensus.scene import FILES, POD, Scene, Unread
from tests.unit.consensus.test_receipts import ON_NODE
from tests.unit.consensus.test_state_service import caller

MEMBERS = vouching.Committee(n=5, thresholds=Thresholds(5, 3, 4, 1))
SCENE = Scene(members=MEMBERS)
MODEL, POLICY = SCENE.model(), read_policy(SCENE.floor())
KEY = receipts.session_key()
GENESIS = MEMBERS.genesis.digest_text


def at(seconds: float) -> datetime:
    """So long after NOW."""
    return NOW + timedelta(seconds=seconds)


def signed(voters: set[int], **changes: Any) -> str:
    """A certificate for the scene's model by these members, with parts replaced."""
    keys = [MEMBERS.keys[index] for index in sorted(voters)]
    some = vouching.Committee(keys=keys, thresholds=Thresholds(len(keys), 1, len(keys), 0))
    said: dict[str, Any] = {
        "files": FILES,
        "epoch": GENESIS,
        "policy_ref": POLICY.ref,
        "policy_digest": POLICY.digest,
    }
    return some.certify(**(said | changes)).decode()


CHANGES: list[dict[str, Any]] = [
    {"policy_digest": f"sha256:{'0' * 64}"},
    {"files": vouching.model_files("1")},
    {"namespace": "team-b"},
    {"model": "other"},
    {"now": at(-1800)},
    {"now": at(31)},
    {"epoch": f"sha256:{'0' * 64}"},
]
VOTERS = st.sets(st.integers(0, 4), min_size=1)
BAD = st.one_of(
    st.builds(signed, st.sets(st.integers(0, 4), min_size=1, max_size=3)),
    st.builds(lambda voters, change: signed(voters, **change), VOTERS, st.sampled_from(CHANGES)),
    st.text(st.characters(max_codepoint=126), min_size=1, max_size=40),
)


@pytest.mark.requirement("bad input: forged, expired or foreign certificates count for nothing")
@given(relayed=st.lists(BAD, max_size=4), good=st.none() | st.integers(0, 4), place=st.integers(0))
@settings(max_examples=60)
def test_only_a_quorums_certificate_for_this_model_and_policy_is_used(
    relayed: list[str], good: int | None, place: int
) -> None:
    """Among any others, wherever it stands; and without it there is none."""
    if good is not None:
        right = signed(set(range(5)) - {good})
        relayed.insert(place % (len(relayed) + 1), right)
    model = read_model(MODEL | {CERTIFICATES_FIELD: relayed})
    held = Collected(Epochs(MEMBERS.genesis), Unread()).of(model, NOW)
    if good is None:
        with pytest.raises(Unavailable):
            certificates_for(model, [POLICY], held)
    else:
        (chosen,) = certificates_for(model, [POLICY], held)
        assert chosen.envelope == right


@given(
    data=st.data(),
    certificate=st.builds(signed, st.just({0, 1, 2, 3})),
)
def test_a_changed_certificate_says_the_same_or_nothing(
    data: st.DataObject, certificate: str
) -> None:
    """One character replaced by any other: no other statement is ever held."""
    index = data.draw(st.integers(0, len(certificate) - 1))
    letter = data.draw(st.characters(min_codepoint=32, max_codepoint=126))
    changed = certificate[:index] + letter + certificate[index + 1 :]
    known = Collected(Epochs(MEMBERS.genesis), Unread())
    (right,) = known.of(read_model(MODEL | {CERTIFICATES_FIELD: [certificate]}), NOW)
    for held in known.of(read_model(MODEL | {CERTIFICATES_FIELD: [changed]}), NOW):
        assert held.certificate.statement == right.certificate.statement


@pytest.mark.requirement("certificates carry votes of members on one identical statement")
@given(members=st.lists(st.integers(0, 4), min_size=2, max_size=5), seconds=st.integers(0, 90_000))
@settings(max_examples=30)
def test_a_vote_is_a_function_of_documents_and_time(members: list[int], seconds: int) -> None:
    """Whoever votes: the same payload or the same denial, and an end in the evidence's life."""
    model = read_model(MODEL)
    said = set()
    for index in members:
        committee = Committee(Epochs(MEMBERS.genesis), MEMBERS.keys[index], 3600, 600)
        found = vote(committee, POLICY, model, at(seconds))
        payload = msgspec.json.decode(found.envelope)["payload"] if found.envelope else None
        said.add((payload, found.expires_at, found.renew_at, found.evaluation.verdict))
    ((payload, expires_at, renew_at, verdict),) = said
    assert verdict.allowed == (payload is not None) == (expires_at is not None)
    assert renew_at > at(seconds)
    if expires_at is not None:
        # The gate's result is an hour old, and counts for a day.
        assert at(seconds) < expires_at <= at(23 * 3600)


def receipt(
    certificates: list[Certificate], *, issued: float, now: float, heard: float, life: int
) -> ReceiptStatement | None:
    """What a member signs whose clock and whose last word of the operator are these."""
    try:
        return receipt_content.statement(
            caller(**ON_NODE),
            POD,
            receipts.request_statement(KEY, at(issued)),
            certificates,
            epoch=MEMBERS.genesis,
            now=at(now),
            heard_at=at(heard),
            life=life,
        )
    except Unavailable:
        return None


def certificates(*ends: int) -> list[Certificate]:
    """Verified ones that end so many seconds after NOW."""
    envelopes = [signed({0, 1, 2, 3}, now=at(-900), life=timedelta(seconds=900 + e)) for e in ends]
    model = read_model(MODEL | {CERTIFICATES_FIELD: envelopes})
    return [one.certificate for one in Collected(Epochs(MEMBERS.genesis), Unread()).of(model, NOW)]


SECONDS = st.floats(-35, 35).map(lambda value: round(value, 3))


@pytest.mark.requirement("a receipt ends within its life of the operator's last word")
@pytest.mark.requirement("receipts carry votes of members on one identical statement")
@given(
    ends=st.lists(st.integers(1, 2000), min_size=1, max_size=2),
    life=st.integers(10, 900),
    issued=SECONDS,
    members=st.lists(st.tuples(SECONDS, st.floats(0, 40)), min_size=2, max_size=4),
)
@settings(max_examples=150)
def test_receipts_of_members_are_one_and_end_in_time(
    ends: list[int], life: int, issued: float, members: list[tuple[float, float]]
) -> None:
    """All who count one silence sign the same; none outlives a certificate or the operator's last
    word."""
    found = certificates(*ends)
    said: dict[timedelta, set[bytes]] = {}
    for now, ago in members:
        one = receipt(found, issued=issued, now=now, heard=now - ago, life=life)
        if one is None:
            continue
        assert at(now) < one.expires_at <= at(now - ago) + timedelta(seconds=life)
        assert one.expires_at <= min(held.statement.expires_at for held in found)
        silence = at(max(now, int(at(issued).timestamp()) - NOW.timestamp())) - at(now - ago)
        counted = receipt_content.counted_silence(silence, life)
        assert silence <= counted <= max(2 * silence, timedelta(seconds=RECEIPT_HEARD))
        said.setdefault(counted, set()).add(issue(one, [MEMBERS.keys[0]]))
    assert all(len(alike) == 1 for alike in said.values())


@given(st.integers(10, 900), st.floats(0, 3))
def test_who_was_told_a_moment_ago_gets_a_receipt(life: int, ago: float) -> None:
    """An operator that says every three seconds that nothing changed is heard often enough."""
    assert receipt(certificates(1000), issued=0, now=0.5, heard=0.5 - ago, life=life)
