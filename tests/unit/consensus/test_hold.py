"""Holds: denied until enough people approve exactly this, once, here, in time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate import limits, names
from quorate.canonical import canonical
from quorate.consensus import hold as holding
from quorate.consensus.ask import Decision as Asked
from quorate.consensus.hold import (
    HOLDS_MAX,
    Hold,
    Holds,
    Standing,
    Terms,
    decide,
    open_hold,
    people,
    settle,
    sweep,
    terms_of,
    use,
)
from quorate.consensus.hold_decision import PREDICATE, HoldDecision, read, statement
from quorate.consensus.wire import request_digest
from quorate.errors import (
    Expired,
    InvalidInput,
    LimitExceeded,
    QuorateError,
    SignatureError,
    SubjectMismatch,
)
from quorate.evidence import dsse
from quorate.evidence.dsse import Envelope, Signature
from quorate.evidence.intoto.approval import Decision
from quorate.keys import LocalSigner
from quorate.statements import convert
from tests.fakes.ballots import REQUEST, Committee

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LIFE = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)


def digest(char: str) -> str:
    """A digest of nothing in particular."""
    return f"sha256:{char * 64}"


def key() -> LocalSigner:
    """Somebody's key."""
    return LocalSigner(ed25519.Ed25519PrivateKey.generate())


ANA, BOB, CHEN, STRANGER = (key() for _ in range(4))
APPROVERS = [people([one.public_key.pem for one in (ANA, BOB, CHEN)], 2)]
TERMS = Terms("cluster-1", digest("a"), (digest("b"),), digest("c"), digest("d"))
HELD, HOLD = open_hold(Holds(), TERMS, NOW, LIFE)


def decision(hold: Hold = HOLD, **changes: Any) -> HoldDecision:
    """An approval of ``hold``, a minute after it was opened, until its end."""
    fields: dict[str, Any] = {
        "hold_id": hold.terms.hold_id,
        "decision": Decision.APPROVED,
        "reason": "looked at it, ticket 42",
        "decided_at": hold.opened_at + MINUTE,
        "expires_at": hold.expires_at,
    }
    return HoldDecision(**(fields | changes))


def signed(*signers: LocalSigner, **changes: Any) -> bytes:
    """A decision, signed by these; by Ana and Bob unless said otherwise."""
    payload = statement(decision(**changes))
    return dsse.sign(payload, names.INTOTO_TYPE, signers or (ANA, BOB))


def approved() -> Holds:
    """The hold, approved."""
    return decide(HELD, signed(), APPROVERS, NOW + 2 * MINUTE)[0]


@pytest.mark.requirement("HOLD: a DENY until a signed human approval for that digest arrives")
def test_an_approved_hold_serves_once() -> None:
    """Nothing before, the action once, nothing after."""
    hold_id = HOLD.terms.hold_id
    assert use(HELD, hold_id, NOW)[1] is None
    holds, used = use(approved(), hold_id, NOW + 3 * MINUTE)
    assert used is not None
    assert used.signers == {ANA.public_key.key_id, BOB.public_key.key_id}
    assert use(holds, hold_id, NOW + 3 * MINUTE)[1] is None
    with pytest.raises(SubjectMismatch, match="used already"):
        decide(holds, signed(), APPROVERS, NOW + 3 * MINUTE)


def _changed(**changes: Any) -> Terms:
    return msgspec.structs.replace(TERMS, **changes)


OTHERS = {
    "cluster": _changed(cluster_id="cluster-2"),
    "request": _changed(request=digest("e")),
    "policies": _changed(policies=(digest("b"), digest("e"))),
    "epoch": _changed(epoch=digest("e")),
    "audience": _changed(audience=digest("e")),
}


@pytest.mark.parametrize("what", OTHERS)
def test_an_approval_of_something_else_opens_nothing(what: str) -> None:
    """Another request, policy, epoch, audience or cluster is another hold: its approval is refused
    where it is not held, and opens only itself where it is."""
    other = OTHERS[what]
    assert other.hold_id != TERMS.hold_id
    envelope = signed(hold_id=other.hold_id)
    with pytest.raises(SubjectMismatch, match="nothing is held"):
        decide(HELD, envelope, APPROVERS, NOW + 2 * MINUTE)
    both, _ = open_hold(HELD, other, NOW, LIFE)
    both, _ = decide(both, envelope, APPROVERS, NOW + 2 * MINUTE)
    assert use(both, TERMS.hold_id, NOW + 2 * MINUTE)[1] is None
    assert use(both, other.hold_id, NOW + 2 * MINUTE)[1] is not None


def test_terms_are_those_of_the_ask() -> None:
    """The digests that votes name, and the policies in one order."""
    committee = Committee()
    fields: dict[str, Any] = {"cluster_id": "c", "epoch": committee.epoch, "audience": bytes(32)}
    one = terms_of(request=REQUEST, policies=[digest("b"), digest("a")], **fields)
    assert one == terms_of(request=REQUEST, policies=[digest("a"), digest("b")] * 2, **fields)
    assert one.request == f"sha256:{request_digest(REQUEST).hex()}"
    assert (one.epoch, one.audience) == (committee.epoch.digest_text, digest("0"))
    assert convert(msgspec.to_builtins(one), Terms, "terms") == one
    assert one.hold_id != terms_of(request=REQUEST + b" ", policies=one.policies, **fields).hold_id


def twice(signer: LocalSigner) -> bytes:
    """One person's signature, two times."""
    payload = statement(decision())
    signature = signer.sign(dsse.pae(names.INTOTO_TYPE, payload))
    both = (Signature(signature, "ana"), Signature(signature, "bob"))
    return Envelope(names.INTOTO_TYPE, payload, both).encode()


def grafted() -> bytes:
    """Ana's signature of this, Bob's of a rejection."""
    payload = statement(decision())
    other = statement(decision(decision=Decision.REJECTED))
    signatures = (
        Signature(ANA.sign(dsse.pae(names.INTOTO_TYPE, payload))),
        Signature(BOB.sign(dsse.pae(names.INTOTO_TYPE, other))),
    )
    return Envelope(names.INTOTO_TYPE, payload, signatures).encode()


TOO_FEW = {
    "one": signed(ANA),
    "one person twice": twice(ANA),
    "one and a stranger": signed(ANA, STRANGER),
    "a stranger": signed(STRANGER),
    "one, and another's word on something else": grafted(),
}


@pytest.mark.parametrize("who", TOO_FEW)
def test_too_few_people_approve_nothing(who: str) -> None:
    """Two different people named by the policy, about these very words."""
    with pytest.raises(SignatureError):
        decide(HELD, TOO_FEW[who], APPROVERS, NOW + 2 * MINUTE)


def test_nobody_named_is_nobody() -> None:
    """Without approvers in any policy a hold only ends."""
    with pytest.raises(SignatureError, match="no policy names"):
        decide(HELD, signed(), [], NOW + 2 * MINUTE)


def test_every_policys_people_must_approve() -> None:
    """Two policies that name people: enough of each, in one envelope."""
    both = [*APPROVERS, people([STRANGER.public_key.pem], 1)]
    with pytest.raises(SignatureError):
        decide(HELD, signed(), both, NOW + 2 * MINUTE)
    holds, _ = decide(HELD, signed(ANA, BOB, STRANGER), both, NOW + 2 * MINUTE)
    assert use(holds, TERMS.hold_id, NOW + 2 * MINUTE)[1] is not None


LATE: list[tuple[str, dict[str, Any], timedelta, type[QuorateError]]] = [
    ("from the future", {"decided_at": NOW + 5 * MINUTE}, MINUTE, Expired),
    ("decided before it was held", {"decided_at": NOW - MINUTE}, MINUTE, Expired),
    ("itself over", {"expires_at": NOW + 2 * MINUTE}, 2 * MINUTE, Expired),
    ("longer than the hold", {"expires_at": NOW + LIFE + MINUTE}, MINUTE, InvalidInput),
    ("the hold over", {}, LIFE, SubjectMismatch),
]


@pytest.mark.parametrize(("what", "changes", "after", "error"), LATE, ids=[row[0] for row in LATE])
def test_time_bounds_an_approval(
    what: str, changes: dict[str, Any], after: timedelta, error: type[QuorateError]
) -> None:
    """An approval counts while its hold lasts, and no longer than it says."""
    with pytest.raises(error):
        decide(HELD, signed(**changes), APPROVERS, NOW + after)


def test_an_approval_ends_before_its_use() -> None:
    """Approved in time, used too late: nothing. Then somebody may approve once more."""
    holds, _ = decide(HELD, signed(expires_at=NOW + 3 * MINUTE), APPROVERS, NOW + 2 * MINUTE)
    assert use(holds, TERMS.hold_id, NOW + 3 * MINUTE)[1] is None
    with pytest.raises(Expired):
        decide(holds, signed(expires_at=NOW + 3 * MINUTE), APPROVERS, NOW + 3 * MINUTE)
    again = signed(decided_at=NOW + 4 * MINUTE)
    holds, _ = decide(holds, again, APPROVERS, NOW + 4 * MINUTE)
    assert use(holds, TERMS.hold_id, NOW + 4 * MINUTE)[1] is not None


def test_an_old_approval_does_not_serve_the_next_hold() -> None:
    """The same action is held again after its time: the first hold's approval is refused, used or
    not, whatever the first ended with."""
    for before in (HELD, approved(), use(approved(), TERMS.hold_id, NOW + 3 * MINUTE)[0]):
        later = NOW + LIFE
        holds, hold = open_hold(before, TERMS, later, LIFE)
        assert (hold.standing, hold.opened_at) == (Standing.WAITING, later)
        for now in (later, later + MINUTE, later + LIFE):
            with pytest.raises(QuorateError):
                decide(holds, signed(), APPROVERS, now)


def test_one_person_rejects() -> None:
    """Any one of those named ends it, even what is approved, and nobody turns it back."""
    rejection = signed(CHEN, decision=Decision.REJECTED)
    for before in (HELD, approved()):
        holds, hold = decide(before, rejection, APPROVERS, NOW + 2 * MINUTE)
        assert hold.standing is Standing.REJECTED
        assert use(holds, TERMS.hold_id, NOW + 2 * MINUTE)[1] is None
        with pytest.raises(SubjectMismatch, match="rejected already"):
            decide(holds, signed(), APPROVERS, NOW + 2 * MINUTE)
    with pytest.raises(SignatureError):
        decide(HELD, signed(STRANGER, decision=Decision.REJECTED), APPROVERS, NOW + 2 * MINUTE)


def test_asking_again_prolongs_nothing() -> None:
    """A hold that is open keeps its beginning and its end."""
    holds, hold = open_hold(HELD, TERMS, NOW + 5 * MINUTE, LIFE)
    assert (holds, hold) == (HELD, HOLD)


def filled() -> Holds:
    """As many holds as fit, of one time."""
    holds = Holds()
    for number in range(HOLDS_MAX):
        terms = _changed(request=f"sha256:{number:064x}")
        holds, _ = open_hold(holds, terms, NOW, LIFE)
    return holds


def test_the_table_is_bounded() -> None:
    """One more is refused and pushes nobody out; when time ends some, there is room."""
    full = filled()
    with pytest.raises(LimitExceeded):
        open_hold(full, TERMS, NOW, LIFE)
    assert open_hold(full, _changed(request=f"sha256:{0:064x}"), NOW, LIFE)[0] == full
    assert len(open_hold(full, TERMS, NOW + LIFE, LIFE)[0].by_id) == 1
    assert sweep(full, NOW + LIFE) == Holds()


ABOUT = {"name": names.HOLD_SUBJECT, "digest": {"sha256": "a" * 64}}
PAYLOADS: list[tuple[str, dict[str, Any]]] = [
    ("another predicate", {"predicateType": "https://quorate.dev/attestation/approval/v0.1"}),
    ("another subject", {"subject": [{"name": "quorate-exception.json", "digest": {}}]}),
    ("two subjects", {"subject": [ABOUT, ABOUT]}),
    ("no digest", {"subject": [ABOUT | {"digest": {"sha512": "a" * 128}}]}),
    ("two digests", {"subject": [ABOUT | {"digest": {"sha256": "a" * 64, "x": "1"}}]}),
]


@pytest.mark.parametrize(("what", "changes"), PAYLOADS, ids=[row[0] for row in PAYLOADS])
def test_other_statements_decide_nothing(what: str, changes: dict[str, Any]) -> None:
    """Enough people signed it, and it is no decision about one hold."""
    document = msgspec.json.decode(statement(decision())) | changes
    envelope = dsse.sign(canonical(document), names.INTOTO_TYPE, (ANA, BOB))
    with pytest.raises(QuorateError):
        decide(HELD, envelope, APPROVERS, NOW + 2 * MINUTE)


FIELDS: list[dict[str, Any]] = [
    {"reason": ""},
    {"reason": "two\nlines"},
    {"decided_at": NOW, "expires_at": NOW},
    {"decided_at": NOW, "expires_at": NOW + timedelta(seconds=limits.HOLD_LIFE + 1)},
    {"hold_id": "sha256:none"},
]


@pytest.mark.parametrize("changes", FIELDS, ids=lambda changes: str(sorted(changes)))
def test_malformed_decisions_cannot_be_written(changes: dict[str, Any]) -> None:
    """What would be refused is refused to who writes it."""
    with pytest.raises(InvalidInput):
        statement(decision(**changes))


def test_unknown_fields_are_refused() -> None:
    """A field that nobody knows may qualify what the others say."""
    document = msgspec.json.decode(statement(decision()))
    document["predicate"]["scope"] = {"namespaces": ["team-b"]}
    with pytest.raises(InvalidInput):
        read(canonical(document))
    assert document["predicateType"] == PREDICATE


def test_a_decision_reads_as_it_was_written() -> None:
    """There and back."""
    assert read(statement(decision())) == decision()


def test_people_are_counted_by_key_material() -> None:
    """One key listed twice is refused, in two spellings too; so is a number that cannot be."""
    pem = ANA.public_key.pem
    for keys, needed in (([pem, pem], 1), ([pem, pem + "\n"], 2), ([pem], 2), ([pem], 0)):
        with pytest.raises(InvalidInput):
            people(keys, needed)


def settled(
    holds: Holds, asked: Asked, now: datetime = NOW, *, human: bool = False
) -> tuple[Holds, holding.Settled]:
    """What the ask comes to."""
    return settle(holds, asked, TERMS, now, LIFE, human=human)


REJECTION = signed(ANA, decision=Decision.REJECTED)
STATES = {
    "none": Holds(),
    "waiting": HELD,
    "approved": approved(),
    "rejected": decide(HELD, REJECTION, APPROVERS, NOW + MINUTE)[0],
    "used": use(approved(), TERMS.hold_id, NOW + 2 * MINUTE)[0],
}


@pytest.mark.parametrize("state", STATES)
def test_people_never_turn_a_denial(state: str) -> None:
    """Too few members approved: whatever people signed, it is denied, and nothing is used up."""
    for human in (False, True):
        holds, found = settled(STATES[state], Asked.DENY, NOW + 2 * MINUTE, human=human)
        assert (found.decision, holds) == (Asked.DENY, STATES[state])


EXPECTED = {
    "none": Asked.HOLD,
    "waiting": Asked.HOLD,
    "approved": Asked.APPROVE,
    "rejected": Asked.DENY,
    "used": Asked.DENY,
}


@pytest.mark.requirement("risk: critical is high and a human")
@pytest.mark.parametrize("state", STATES)
def test_what_needs_a_person_waits_for_one(state: str) -> None:
    """A HOLD, and an APPROVE of what is critical, happen only on an approval; another APPROVE needs
    none."""
    for asked, human in ((Asked.HOLD, False), (Asked.HOLD, True), (Asked.APPROVE, True)):
        _, found = settled(STATES[state], asked, NOW + 2 * MINUTE, human=human)
        assert found.decision is EXPECTED[state]
        assert found.hold is not None
        assert found.hold.terms == TERMS
    assert settled(STATES[state], Asked.APPROVE)[1].decision is Asked.APPROVE


def test_no_room_is_a_denial() -> None:
    """What cannot be held is denied, and says why."""
    _, found = settled(filled(), Asked.HOLD)
    assert (found.decision, found.hold) == (Asked.DENY, None)
    assert str(HOLDS_MAX) in found.reason
