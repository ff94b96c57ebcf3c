"""Every message under arbitrary bytes, arbitrary values and arbitrary tampering."""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.consensus import approval, chain, equivocation, freeze, quarantine, succession, wire
from quorate.consensus import epoch as epochs
from quorate.consensus.ask import Answered, begin
from quorate.consensus.ask import step as ask_step
from quorate.consensus.detector import Detector, Failures
from quorate.consensus.detector import step as detector_step
from quorate.consensus.epoch import Change
from quorate.consensus.equivocation import Equivocation
from quorate.consensus.freeze import Freezes, Order, Scope, SignedOrder, Target
from quorate.consensus.member import Asked, Judge, Member
from quorate.consensus.signing import verify_vote
from quorate.consensus.succession import Endorsement
from quorate.consensus.thresholds import Thresholds, Tier
from quorate.consensus.thresholds import check as check_thresholds
from quorate.consensus.wire import (
    Abstention,
    Ask,
    Ballot,
    Certificate,
    Delegation,
    Verdict,
    Vote,
)
from quorate.errors import QuorateError
from tests.fakes.ballots import CLUSTER, JUDGES, REQUEST, SIGNATURES, SUBJECT, Canaried, digest
from tests.fakes.member_store import NOW, Host, answers

SCENE = Canaried()
C = SCENE.committee
NAMES = ["m0", "m1", "m2", "m3"]
VOTE = C.vote("m0")
PAIR = Equivocation((C.vote("m4", Verdict.DENY), C.vote("m4", sequence=2)))
FAILURES = Failures("m4", Verdict.DENY, tuple(SCENE.result(n, ["m4"]) for n in range(6)))
RECORD = C.next_record(Change.POLICIES, policies=digest("c"))
CERTIFIED = C.endorse(RECORD, 4, 2)
ORDER = Order(CLUSTER, Scope.TENANT, "team-a", "because", NOW, NOW.replace(hour=13))


def by_admin(order: Order) -> SignedOrder:
    """``order``, signed by one administrator."""
    signature = C.admins[0].sign(freeze.ORDER_TAG + freeze.encode(order))
    return SignedOrder(order, (Endorsement(C.admins[0].public_key.pem, signature),))


FREEZE = by_admin(ORDER)


class Format(NamedTuple):
    """A format with a reader, what the reader gives back as bytes, and one good document."""

    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]
    good: bytes


def on_wire(kind: type[msgspec.Struct], good: msgspec.Struct) -> Format:
    """A message of the hot path."""
    return Format(lambda data: wire.decode(data, kind), wire.encode, wire.encode(good))


ASK = Ask(1, Tier.STRICT, C.epoch.digest, b"n" * 16, b"a" * 32, 200, REQUEST)
FORMATS: dict[str, Format] = {
    "ask": on_wire(Ask, ASK),
    "ballot": on_wire(Ballot, C.ballot("m0", reasons=("RuleMatched",))),
    "delegation": on_wire(
        Delegation, msgspec.msgpack.decode(VOTE.delegation.body, type=Delegation)
    ),
    "vote": on_wire(Vote, VOTE),
    "certificate": on_wire(Certificate, Certificate(1, (VOTE,))),
    "answer": Format(wire.decode_answer, wire.encode, wire.encode(Abstention(1, "Overloaded"))),
    "pair": Format(quarantine.decode, quarantine.encode, quarantine.encode(PAIR)),
    "failures": Format(quarantine.decode, quarantine.encode, quarantine.encode(FAILURES)),
    "record": Format(epochs.parse, epochs.encode, epochs.encode(RECORD)),
    "certified": Format(
        succession.parse_certified, msgspec.json.encode, msgspec.json.encode(CERTIFIED)
    ),
    "freeze": Format(freeze.parse, msgspec.json.encode, msgspec.json.encode(FREEZE)),
}
EACH = pytest.mark.parametrize("name", FORMATS)


@pytest.mark.requirement("bad input: a fuzz target per message")
@EACH
@given(data=st.binary(max_size=400))
def test_arbitrary_bytes_are_read_or_refused(name: str, data: bytes) -> None:
    """A message or a QuorateError; what is read, can be written and read again."""
    form = FORMATS[name]
    for one in (data, form.good[:3] + data, data + form.good):
        try:
            message = form.read(one)
        except QuorateError:
            continue
        assert form.read(form.write(message)) == message


texts, blobs = st.text(max_size=8), st.binary(max_size=40)
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats()
trees = st.recursive(
    st.none() | st.booleans() | numbers | texts | blobs,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=20,
)


@EACH
@settings(max_examples=50)
@given(tree=trees)
def test_arbitrary_values_are_read_or_refused(name: str, tree: Any) -> None:
    """Well-formed MessagePack or JSON of any other shape is a refusal, never another exception."""
    form = FORMATS[name]
    prefix = form.good[:1] if name in ("pair", "failures") else b""
    encoders: list[Callable[[Any], bytes]] = [msgspec.msgpack.encode, msgspec.json.encode]
    for encode in encoders:
        try:
            form.read(prefix + encode(tree))
        except QuorateError:
            continue


@EACH
@given(data=st.data())
def test_a_bent_message_is_read_or_refused(name: str, data: st.DataObject) -> None:
    """One good document with some bytes changed, cut out or put in."""
    form = FORMATS[name]
    bent = data.draw(bendings(form.good))
    try:
        message = form.read(bent)
    except QuorateError:
        return
    assert form.read(form.write(message)) == message


@st.composite
def bendings(draw: st.DrawFn, good: bytes) -> bytes:
    """``good`` with one change: a byte, a cut, an insertion, or a piece of itself elsewhere."""
    at = draw(st.integers(0, len(good) - 1))
    match draw(st.sampled_from(["byte", "cut", "insert", "copy"])):
        case "byte":
            return good[:at] + bytes([good[at] ^ draw(st.integers(1, 255))]) + good[at + 1 :]
        case "cut":
            return good[:at] + good[at + draw(st.integers(1, 40)) :]
        case "insert":
            return good[:at] + draw(st.binary(min_size=1, max_size=8)) + good[at:]
        case _:
            start = draw(st.integers(0, len(good) - 1))
            return good[:at] + good[start : start + 40] + good[at:]


class Proof(NamedTuple):
    """Something that convinces, as bytes, and what it convinces of."""

    convince: Callable[[bytes], Any]
    good: bytes


def _vote(data: bytes) -> Any:
    return verify_vote(wire.decode(data, Vote), C.epoch, SIGNATURES)


def _certificate(data: bytes) -> Any:
    return approval.verify(data, C.epoch, SUBJECT, SIGNATURES)


def _convicted(data: bytes) -> Any:
    return quarantine.convicted(quarantine.decode(data), C.epoch, SIGNATURES)


def _certified(data: bytes) -> Any:
    return succession.verify(C.epoch, succession.parse_certified(data), SIGNATURES).digest


def _frozen(data: bytes) -> Any:
    signed = freeze.parse(data)
    freeze.verify(signed, C.epoch, SIGNATURES)
    return signed.order


PROOFS = {
    "vote": Proof(_vote, wire.encode(VOTE)),
    "certificate": Proof(_certificate, C.certificate(NAMES)),
    "pair": Proof(_convicted, quarantine.encode(PAIR)),
    "failures": Proof(_convicted, quarantine.encode(FAILURES)),
    "record": Proof(_certified, msgspec.json.encode(CERTIFIED)),
    "freeze": Proof(_frozen, msgspec.json.encode(FREEZE)),
}


@pytest.mark.requirement("committee: nothing signed can be changed unnoticed")
@pytest.mark.parametrize("name", PROOFS)
@given(data=st.data())
def test_a_changed_proof_convinces_of_the_same_or_not_at_all(
    name: str, data: st.DataObject
) -> None:
    """Any byte of a valid vote, certificate, record, freeze or piece of evidence changed: refused,
    or it says what it said."""
    proof = PROOFS[name]
    meaning = proof.convince(proof.good)
    bent = data.draw(bendings(proof.good))
    try:
        changed = proof.convince(bent)
    except QuorateError:
        return
    assert changed == meaning


@pytest.mark.parametrize("name", ["vote", "certificate"])
def test_every_single_byte_of_a_vote_and_a_certificate_counts(name: str) -> None:
    """All bytes, each with a bit changed: refused, or the same meaning."""
    proof = PROOFS[name]
    meaning = proof.convince(proof.good)
    refused = 0
    for at in range(len(proof.good)):
        bent = bytearray(proof.good)
        bent[at] ^= 1 << at % 8
        try:
            assert proof.convince(bytes(bent)) == meaning
        except QuorateError:
            refused += 1
    assert refused > 0.9 * len(proof.good)


@pytest.mark.requirement("bad input: a fuzz target per message")
@given(data=st.binary(max_size=300) | bendings(wire.encode(ASK)))
def test_a_member_answers_anything_it_is_sent(data: bytes) -> None:
    """An abstention or a judgement, whatever arrives; never an exception, and no trace of it."""
    key = C.parties["m0"].vote_key
    host = Host(Member("m0", C.epoch, 1, C.delegation("m0"), JUDGES), key)
    effects = host.feed(Asked(1, data, Target({}), NOW))
    assert len(effects) == 1
    assert isinstance(effects[0], Judge) or isinstance(answers(effects)[1], str)


@given(data=st.binary(max_size=300) | bendings(wire.encode(VOTE)), name=st.sampled_from(C.names))
def test_an_asker_survives_anything_it_is_answered(data: bytes, name: str) -> None:
    """Arbitrary bytes on any channel approve nothing and end nothing too soon."""
    asking, _ = begin(
        C.epoch, Tier.STRICT, REQUEST, nonce=bytes(16), audience=bytes(32), now=0.0, budget=1.0
    )
    after, effects = ask_step(asking, Answered(name, data), 0.1, SIGNATURES)
    assert after.outcome is None
    assert len(effects) <= 1
    assert len(after.approvals) <= int(name == "m0")


strangers = st.tuples(st.integers(0, 5), st.integers(0, 4), st.binary(max_size=60))


@settings(max_examples=50)
@given(st.lists(strangers, max_size=8))
def test_a_watcher_survives_any_votes(junk: list[tuple[int, int, bytes]]) -> None:
    """Genuine votes of other asks, and signatures of nothing, in any number beside a canary."""
    state = Detector(C.epoch)
    for index in range(3):
        good = SCENE.result(index)
        votes = list(good.votes)
        for canary, member, data in junk:
            strange = SCENE.result(canary).votes[member]
            broken = wire.Vote(wire.Signed(data or b"\0", b"s"), strange.delegation)
            votes += [strange, broken]
        result = msgspec.structs.replace(good, votes=tuple(votes))
        state, found = detector_step(state, result, SIGNATURES)
        assert found == ()


@given(st.builds(Thresholds, *[st.integers(-2, 20)] * 4))
def test_thresholds_are_accepted_or_refused(thresholds: Thresholds) -> None:
    """Whatever the numbers: an answer, and with its arithmetic if it is no."""
    try:
        check_thresholds(thresholds)
    except QuorateError as error:
        refused: QuorateError | None = error
    else:
        refused = None
    if refused is None:
        assert 2 * thresholds.strict - thresholds.n > thresholds.r
    else:
        assert refused.field.startswith("thresholds.")
        assert refused.fix


@given(st.lists(st.booleans(), min_size=2, max_size=12), st.data())
def test_honest_members_are_never_convicted(tightened: list[bool], data: st.DataObject) -> None:
    """Any honest history of asks, each verdict tightening at most once: no two of its ballots
    contradict each other, in whatever order they are seen."""
    denied: set[int] = set()
    ballots = []
    for place, deny in enumerate(tightened, start=1):
        request = data.draw(st.integers(0, 2))
        if deny:
            denied.add(request)
        verdict = Verdict.DENY if request in denied else Verdict.APPROVE
        ballots.append(C.ballot("m0", verdict, sequence=place, request=request.to_bytes(32, "big")))
    watch = equivocation.Watch()
    for ballot in data.draw(st.permutations(ballots)):
        assert watch.saw(VOTE, ballot) is None


@given(st.lists(st.integers(0, 5), max_size=12))
def test_freezes_are_the_same_in_any_order(numbers: list[int]) -> None:
    """Merging is idempotent and does not look at the order."""
    orders = [
        msgspec.structs.replace(ORDER, name=f"team-{number}") for number in sorted(set(numbers))
    ]
    signed = {order.name: by_admin(order) for order in orders}
    heard = [signed[f"team-{number}"] for number in numbers]
    known = freeze.merge(Freezes(), heard, C.epoch, SIGNATURES)
    assert set(known.orders) == {order.order_id for order in orders}
    assert freeze.merge(known, heard[::-1], C.epoch, SIGNATURES) == known


@given(st.binary(max_size=80))
def test_a_proposal_of_any_policies_is_chosen_or_declined(policies: bytes) -> None:
    """A record with nonsense in it reaches a member only parsed; what it is asked to sign is one
    effect: keep, or declined."""
    record = C.next_record(Change.POLICIES, policies="sha256:" + policies.hex())
    try:
        parsed = epochs.parse(epochs.encode(record))
    except QuorateError:
        return
    link = chain.Link("m0", C.epoch)
    _, effects = chain.step(link, chain.Proposed(1, parsed), C.parties["m0"].identity, SIGNATURES)
    assert [type(effect) for effect in effects] in ([chain.Keep], [chain.Declined])
