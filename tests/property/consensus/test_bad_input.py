"""Every kind of bad input for every message of the committee: ABSTAIN or DENY, with a reason.

The kinds: oversized, truncated, of another version, of another epoch, for another audience,
replayed, unsigned, contradicting itself. docs/reference/bad-input.md says where each is tried.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.consensus import approval, ask, freeze, quarantine, succession, wire
from quorate.consensus.ask import Answered, Decision, Finished, Refused
from quorate.consensus.epoch import Change
from quorate.consensus.equivocation import Equivocation
from quorate.consensus.freeze import Order, Scope, SignedOrder, Target
from quorate.consensus.member import Abstain, Asked, Judge, Member
from quorate.consensus.succession import CertifiedRecord, Endorsement
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Ask, Delegation, Signed, Verdict, Vote
from quorate.errors import LimitExceeded, QuorateError
from quorate_io import member_api
from tests.fakes.ballots import CLUSTER, JUDGES, REQUEST, SIGNATURES, SUBJECT, Committee, digest
from tests.fakes.member_store import NOW, Host, answers
from tools.gen.artifacts import ROOT

C = Committee()
PAGE = ROOT / "docs/reference/bad-input.md"
KINDS = (
    "oversized",
    "truncated",
    "wrong-version",
    "wrong-epoch",
    "wrong-audience",
    "replayed",
    "unsigned",
    "self-contradictory",
)
EACH = pytest.mark.parametrize("kind", KINDS)
others = st.binary(min_size=32, max_size=32).filter(lambda one: one != C.epoch.digest)


def changed(message: msgspec.Struct, **fields: Any) -> bytes:
    """The message with other fields, whatever their type."""
    parts = msgspec.structs.asdict(message) | fields
    return msgspec.msgpack.encode([parts[name] for name in message.__struct_fields__])


# An ask, at a member ---------------------------------------------------------------------------

ASK = Ask(1, Tier.STRICT, C.epoch.digest, b"n" * 16, b"a" * 32, 200, REQUEST)


@pytest.mark.requirement("bad input: oversized, truncated, wrong-version, wrong-epoch asks")
@pytest.mark.parametrize("kind", ["oversized", "truncated", "wrong-version", "wrong-epoch"])
@settings(max_examples=25)
@given(at=st.integers(1, 150), version=st.integers(2, 2**40), epoch=others)
def test_a_bad_ask_is_abstained_from(kind: str, at: int, version: int, epoch: bytes) -> None:
    """With a reason that is counted; nobody judges it, and nothing of it is kept."""
    whole = wire.encode(ASK)
    data, reason = {
        "oversized": (whole + bytes(wire.MESSAGE_BYTES), Abstain.MALFORMED),
        "truncated": (whole[: -min(at, len(whole) - 1)], Abstain.MALFORMED),
        "wrong-version": (changed(ASK, version=version), Abstain.MALFORMED),
        "wrong-epoch": (changed(ASK, epoch=epoch), Abstain.OTHER_EPOCH),
    }[kind]
    key = C.parties["m0"].vote_key
    host = Host(Member("m0", C.epoch, 1, C.delegation("m0"), JUDGES), key)
    effects = host.feed(Asked(1, data, Target({}), NOW))
    assert answers(effects)[1] == reason
    assert not any(isinstance(effect, Judge) for effect in effects)


# A vote, at an asker ---------------------------------------------------------------------------


def vote_of(kind: str, epoch: bytes, other: bytes) -> bytes:
    """What m0 answers."""
    vote = C.vote("m0", Verdict.APPROVE, SUBJECT)
    ballot = C.ballot("m0", Verdict.APPROVE, SUBJECT)
    delegation = msgspec.msgpack.decode(vote.delegation.body, type=Delegation)
    match kind:
        case "oversized":
            return wire.encode(vote) + bytes(wire.ANSWER_BYTES)
        case "truncated":
            return wire.encode(vote)[: -1 - other[0] % 100]
        case "wrong-version":
            body = changed(ballot, version=2)
            return wire.encode(Vote(Signed(body, vote.ballot.signature), vote.delegation))
        case "wrong-epoch":
            return wire.encode(C.vote("m0", Verdict.APPROVE, SUBJECT, epoch=epoch))
        case "wrong-audience":
            return wire.encode(C.vote("m0", Verdict.APPROVE, SUBJECT, audience=other))
        case "replayed":
            return wire.encode(C.vote("m0", Verdict.APPROVE, SUBJECT, nonce=other[:16]))
        case "unsigned":
            return wire.encode(Vote(Signed(vote.ballot.body, other), vote.delegation))
        case _:
            # Its delegation speaks of another start of the member than its ballot does.
            body = wire.encode(msgspec.structs.replace(delegation, incarnation=7))
            return wire.encode(Vote(vote.ballot, Signed(body, vote.delegation.signature)))


@pytest.mark.requirement("bad input: each kind at the asker is no approval, with a reason")
@EACH
@settings(max_examples=25)
@given(epoch=others, other=others.filter(lambda one: one != SUBJECT.audience))
def test_a_bad_vote_is_no_approval(kind: str, epoch: bytes, other: bytes) -> None:
    """It is refused with a reason, its member counts as lost, and three good ones are too few."""
    asking, _ = ask.begin(
        C.epoch,
        Tier.STRICT,
        REQUEST,
        nonce=SUBJECT.nonce,
        audience=SUBJECT.audience,
        now=0.0,
        budget=1.0,
    )
    data = vote_of(kind, epoch, other)
    asking, effects = ask.step(asking, Answered("m0", data), 0.1, SIGNATURES)
    (refused,) = effects
    assert isinstance(refused, Refused)
    assert str(refused.error)
    for name in ("m1", "m2", "m3"):
        good = wire.encode(C.vote(name, Verdict.APPROVE, SUBJECT))
        asking, _ = ask.step(asking, Answered(name, good), 0.1, SIGNATURES)
    assert asking.outcome is None
    denial = wire.encode(C.vote("m4", Verdict.DENY, SUBJECT))
    asking, effects = ask.step(asking, Answered("m4", denial), 0.1, SIGNATURES)
    (finished,) = (effect for effect in effects if isinstance(effect, Finished))
    assert finished.outcome.decision is Decision.DENY
    assert ("m0", ask.Silence.INVALID) in finished.outcome.silent


# A certificate, at whoever acts on it ----------------------------------------------------------


@pytest.mark.requirement("bad input: each kind in a certificate voids it")
@EACH
@settings(max_examples=25)
@given(epoch=others, other=others.filter(lambda one: one != SUBJECT.audience))
def test_one_bad_vote_voids_a_certificate(kind: str, epoch: bytes, other: bytes) -> None:
    """Four good ones beside it do not save it: an honest asker puts none in."""
    good = [C.vote(name, Verdict.APPROVE, SUBJECT) for name in ("m1", "m2", "m3", "m4")]
    bad = vote_of(kind, epoch, other)
    if kind == "oversized":
        data = approval.certify(good) + bytes(approval.CERTIFICATE_BYTES)
    elif kind == "truncated":
        data = approval.certify(good)[: -1 - other[0] % 100]
    else:
        data = approval.certify([*good, wire.decode(bad, Vote)])
    with pytest.raises(QuorateError):
        approval.verify(data, C.epoch, SUBJECT, SIGNATURES)
    assert approval.verify(approval.certify(good), C.epoch, SUBJECT, SIGNATURES)


# A freeze, at whoever hears of it --------------------------------------------------------------

ORDER = Order(CLUSTER, Scope.TENANT, "team-a", "because", NOW, NOW.replace(hour=13))


def order_of(kind: str, other: bytes) -> bytes:
    """What somebody sends."""
    order, signature = ORDER, C.admins[0].sign(freeze.ORDER_TAG + freeze.encode(ORDER))
    match kind:
        case "wrong-epoch":
            order = msgspec.structs.replace(ORDER, cluster_id="another")
            signature = C.admins[0].sign(freeze.ORDER_TAG + freeze.encode(order))
        case "replayed":
            # The signature of one order, shown with another.
            order = msgspec.structs.replace(ORDER, name="team-b")
        case "unsigned":
            signature = other
        case "self-contradictory":
            order = msgspec.structs.replace(ORDER, scope=Scope.CLUSTER)
            signature = C.admins[0].sign(freeze.ORDER_TAG + freeze.encode(order))
    signed = SignedOrder(order, (Endorsement(C.admins[0].public_key.pem, signature),))
    data = msgspec.json.encode(signed)
    match kind:
        case "oversized":
            return data + b" " * freeze.ORDER_BYTES
        case "truncated":
            return data[: -1 - other[0] % 200]
        case "wrong-version":
            return data.replace(b'"order":', b'"version":2,"order":', 1)
    return data


@pytest.mark.requirement("bad input: each kind of a freeze is refused")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "wrong-audience"])
@settings(max_examples=25)
@given(other=others)
def test_a_bad_freeze_freezes_nothing(kind: str, other: bytes) -> None:
    """An order is for whoever hears of it: it has no audience. Its cluster stands for the epoch."""
    assert freeze.parse(msgspec.json.encode(freeze.parse(order_of("", other)))).order == ORDER
    with pytest.raises(QuorateError):
        freeze.verify(freeze.parse(order_of(kind, other)), C.epoch, SIGNATURES)


# An epoch record, at whoever follows -----------------------------------------------------------


def _opened(data: bytes) -> object:
    return succession.verify(C.epoch, succession.parse_certified(data), SIGNATURES)


RECORD = C.next_record(Change.POLICIES, policies=digest("c"))
CERTIFIED = C.endorse(RECORD, 4, 2)


def record_of(kind: str, other: bytes) -> bytes:
    """What somebody shows."""
    certified = CERTIFIED
    match kind:
        case "wrong-epoch":
            record = msgspec.structs.replace(RECORD, previous=f"sha256:{other.hex()}")
            certified = C.endorse(record, 4, 2)
        case "replayed":
            # The signatures of one record, shown with another.
            record = msgspec.structs.replace(RECORD, policies=f"sha256:{other.hex()}")
            certified = CertifiedRecord(record, CERTIFIED.members, CERTIFIED.admins)
        case "unsigned":
            certified = CertifiedRecord(RECORD, (), CERTIFIED.admins)
        case "self-contradictory":
            thresholds = msgspec.structs.replace(RECORD.thresholds, strict=3)
            certified = C.endorse(msgspec.structs.replace(RECORD, thresholds=thresholds), 4, 2)
    data = msgspec.json.encode(certified)
    match kind:
        case "oversized":
            return data + b" " * member_api.CERTIFIED_BYTES
        case "truncated":
            return data[: -1 - other[0] % 200]
        case "wrong-version":
            return data.replace(b'"record":', b'"version":2,"record":', 1)
    return data


@pytest.mark.requirement("bad input: each kind of an epoch record opens nothing")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "wrong-audience"])
@settings(max_examples=25)
@given(other=others)
def test_a_bad_record_opens_no_epoch(kind: str, other: bytes) -> None:
    """A record is for everybody: it has no audience."""
    good = succession.parse_certified(record_of("", other))
    assert succession.verify(C.epoch, good, SIGNATURES).record == RECORD
    with pytest.raises(QuorateError):
        _opened(record_of(kind, other))


# Evidence, at whoever is to act on it ----------------------------------------------------------


def _convicted(data: bytes) -> str:
    return quarantine.convicted(quarantine.decode(data), C.epoch, SIGNATURES)


def evidence_of(kind: str, epoch: bytes, other: bytes) -> bytes:
    """Two ballots that are to convict m4."""
    first = C.vote("m4", Verdict.APPROVE)
    second = C.vote("m4", Verdict.DENY)
    match kind:
        case "wrong-version":
            body = changed(C.ballot("m4", Verdict.DENY), version=2)
            second = Vote(Signed(body, second.ballot.signature), second.delegation)
        case "wrong-epoch":
            first = C.vote("m4", Verdict.APPROVE, epoch=epoch)
            second = C.vote("m4", Verdict.DENY, epoch=epoch)
        case "replayed":
            second = first
        case "unsigned":
            second = Vote(Signed(second.ballot.body, other), second.delegation)
        case "self-contradictory":
            second = C.vote("m3", Verdict.DENY)
    data = quarantine.encode(Equivocation((first, second)))
    match kind:
        case "oversized":
            return data + bytes(quarantine.EVIDENCE_BYTES)
        case "truncated":
            return data[: -1 - other[0] % 100]
    return data


@pytest.mark.requirement("bad input: each kind of evidence convicts nobody")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "wrong-audience"])
@settings(max_examples=25, deadline=None)
@given(epoch=others, other=others)
def test_bad_evidence_convicts_nobody(kind: str, epoch: bytes, other: bytes) -> None:
    """Whoever hears of a lie may tell of it: for which pod it was said plays no part."""
    good = quarantine.decode(evidence_of("", epoch, other))
    assert quarantine.convicted(good, C.epoch, SIGNATURES) == "m4"
    with pytest.raises(QuorateError):
        _convicted(evidence_of(kind, epoch, other))


# Every body of a route, and every answer to one ------------------------------------------------


def _bodies(kind: type[Any] = member_api.Body) -> Iterator[type[Any]]:
    for one in kind.__subclasses__():
        yield one
        yield from _bodies(one)


BODIES = tuple(_bodies())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@pytest.mark.requirement("bad input: a fuzz target per message")
@pytest.mark.parametrize("kind", BODIES, ids=lambda kind: kind.__name__)
@settings(max_examples=30)
@given(data=st.data())
def test_any_body_is_read_strictly_or_refused(kind: type, data: st.DataObject) -> None:
    """Bytes, other JSON, its own fields with anything in them, one field too many, too large."""
    fields = [field.encode_name for field in msgspec.structs.fields(kind)]
    own = st.dictionaries(st.sampled_from(fields), JSON, max_size=len(fields))
    value = data.draw(own | JSON)
    dumped = msgspec.json.encode(value)
    for body in (dumped, data.draw(st.binary(max_size=100)), dumped[:-1], dumped + b"}"):
        _read_or_refused(kind, body)
    with pytest.raises(LimitExceeded):
        member_api.decode(dumped + b" " * 4096, kind, bytes_max=4096, what="body")
    if isinstance(value, dict):
        more = msgspec.json.encode(value | {"moreOfIt": 1})
        with pytest.raises(QuorateError):
            member_api.decode(more, kind, bytes_max=1 << 20, what="body")


def _read_or_refused(kind: type, body: bytes) -> None:
    read: Callable[..., Any] = member_api.decode
    try:
        found = read(body, kind, bytes_max=1 << 20, what="body")
    except QuorateError:
        return
    assert read(member_api.encode(found), kind, bytes_max=1 << 20, what="body") == found


# The page ---------------------------------------------------------------------------------------


def test_the_page_names_every_message_and_only_tests_that_are_there() -> None:
    """docs/reference/bad-input.md: each route that takes a body, each message, and real tests."""
    text = PAGE.read_text("utf-8")
    missing = [path for path in _posted() if path not in text]
    assert missing == []
    for path, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text):
        source = (ROOT / path).read_text("utf-8")
        assert not name or f"def {name}(" in source, f"{path}::{name}"
    for kind in (*KINDS, *_messages()):
        assert kind in text, kind


def _posted() -> list[str]:
    """Paths that a member takes bodies at."""
    room = ROOT / "consensus/quorate_consensus"
    source = "".join((room / f"{n}.py").read_text("utf-8") for n in ("server", "shadow_routes"))
    named = re.findall(r"add_post\((?:member_api\.)?(\w+)", source)
    return [getattr(member_api, name) for name in named if not name.endswith("_BEFORE")]


def _messages() -> Iterator[str]:
    for one in vars(wire).values():
        is_struct = isinstance(one, type) and issubclass(one, msgspec.Struct)
        if is_struct and one.__module__ == wire.__name__:
            yield one.__name__
