"""The wire: exactly such a message of this version, or a refusal that names what is wrong."""

from typing import Any

import msgspec
import pytest

from quorate.consensus import wire
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import (
    Abstention,
    Ask,
    Ballot,
    Certificate,
    Delegation,
    Signed,
    Verdict,
    Vote,
)
from quorate.errors import InvalidInput, LimitExceeded
from tests.fakes.ballots import Committee

COMMITTEE = Committee()
ASK = Ask(1, Tier.FAST, b"e" * 32, b"n" * 16, b"a" * 32, 200, b"request")
BALLOT = COMMITTEE.ballot("m0", reasons=("RuleMatched",))
VOTE = COMMITTEE.sign(BALLOT)
MESSAGES: list[msgspec.Struct] = [
    ASK,
    BALLOT,
    msgspec.msgpack.decode(VOTE.delegation.body, type=Delegation),
    VOTE,
    Certificate(1, (VOTE,)),
]
NAMES = [type(message).__name__ for message in MESSAGES]


@pytest.mark.parametrize("message", MESSAGES, ids=NAMES)
def test_messages_come_back_as_they_were(message: msgspec.Struct) -> None:
    """What is encoded is decoded to the same, and encodes to the same bytes again."""
    data = wire.encode(message)
    again = wire.decode(data, type(message))
    assert (again, wire.encode(again)) == (message, data)


@pytest.mark.requirement("bad input: truncated messages are refused")
@pytest.mark.parametrize("message", MESSAGES, ids=NAMES)
def test_truncated_messages_are_refused(message: msgspec.Struct) -> None:
    """No proper prefix of a message is a message, and neither is one with bytes behind it."""
    data = wire.encode(message)
    for cut in [*(data[:end] for end in range(len(data))), data + b"\x00"]:
        with pytest.raises(InvalidInput):
            wire.decode(cut, type(message))


@pytest.mark.requirement("bad input: oversized messages are refused")
@pytest.mark.parametrize("message", MESSAGES, ids=NAMES)
def test_oversized_messages_are_refused_before_they_are_read(message: msgspec.Struct) -> None:
    """One byte over the bound is refused for its size, whatever it holds."""
    kind = type(message)
    with pytest.raises(LimitExceeded, match="the limit is"):
        wire.decode(bytes(wire.MESSAGE_BYTES + 1), kind)
    data = wire.encode(message)
    assert wire.decode(data, kind, bytes_max=len(data)) == message
    with pytest.raises(LimitExceeded):
        wire.decode(data, kind, bytes_max=len(data) - 1)


@pytest.mark.requirement("bad input: wrong versions are refused")
@pytest.mark.parametrize("version", [0, 2, 255, -1, "1", None, True, 1.5])
def test_other_versions_are_refused(version: object) -> None:
    """Only version 1 is read; the version comes first."""
    for message in (ASK, BALLOT, Certificate(1, (VOTE,))):
        fields = msgspec.to_builtins(message, builtin_types=(bytes,))
        data = msgspec.msgpack.encode([version, *fields[1:]])
        with pytest.raises(InvalidInput):
            wire.decode(data, type(message))


@pytest.mark.parametrize("message", MESSAGES, ids=NAMES)
def test_extra_and_missing_fields_are_refused(message: msgspec.Struct) -> None:
    """One field more, one less, or names beside the fields: not this message."""
    fields = msgspec.to_builtins(message, builtin_types=(bytes,))
    assert isinstance(fields, list)
    for changed in ([*fields, None], fields[:-1], [], dict(enumerate(fields))):
        with pytest.raises(InvalidInput):
            wire.decode(msgspec.msgpack.encode(changed), type(message))


def altered(message: msgspec.Struct, **changes: Any) -> bytes:
    """The message as somebody would send it who does not keep to its types."""
    return wire.encode(msgspec.structs.replace(message, **changes))


ALTERED_ASKS: list[dict[str, Any]] = [
    {"tier": "sloppy"},
    {"tier": 1},
    {"epoch": b"e" * 31},
    {"epoch": b"e" * 33},
    {"epoch": "e" * 32},
    {"nonce": b"n" * 15},
    {"nonce": b"n" * 17},
    {"audience": b""},
    {"left_ms": -1},
    {"left_ms": wire.LEFT_MS_MAX + 1},
    {"left_ms": "200"},
    {"left_ms": 2**64 - 1},
    {"request": b""},
    {"request": b"x" * (wire.REQUEST_BYTES + 1)},
    {"request": "text"},
]
ALTERED_BALLOTS: list[dict[str, Any]] = [
    {"member": ""},
    {"member": "m" * 64},
    {"member": b"m0"},
    {"incarnation": -1},
    {"incarnation": 2**53},
    {"sequence": 2**53},
    {"previous": b"p" * 31},
    {"request": b"r" * 64},
    {"verdict": 2},
    {"verdict": -1},
    {"verdict": "APPROVE"},
    {"verdict": None},
    {"hard": 1},
    {"hard": None},
    {"score": -1},
    {"score": wire.SCORE_MAX + 1},
    {"score": float("nan")},
    {"reasons": ("",)},
    {"reasons": ("x" * 65,)},
    {"reasons": ("two\nlines",)},
    {"reasons": ("é",)},
    {"reasons": ("x",) * (wire.REASONS_MAX + 1)},
    {"reasons": "RuleMatched"},
    {"judges": b""},
]


@pytest.mark.requirement("bad input: wrong types and lengths are refused")
@pytest.mark.parametrize("changes", ALTERED_ASKS, ids=lambda c: str(c)[:40])
def test_asks_of_wrong_types_and_lengths_are_refused(changes: dict[str, Any]) -> None:
    """Each field has one type, and bounds."""
    with pytest.raises(InvalidInput):
        wire.decode(altered(ASK, **changes), Ask)


@pytest.mark.parametrize("changes", ALTERED_BALLOTS, ids=lambda c: str(c)[:40])
def test_ballots_of_wrong_types_and_lengths_are_refused(changes: dict[str, Any]) -> None:
    """Each field has one type, and bounds."""
    with pytest.raises(InvalidInput):
        wire.decode(altered(BALLOT, **changes), Ballot)


def test_the_largest_of_each_message_is_readable() -> None:
    """Bounds fit into each other: what may be sent may be read, inside a vote and a certificate."""
    request = b"x" * wire.REQUEST_BYTES
    largest = msgspec.structs.replace(ASK, request=request, left_ms=wire.LEFT_MS_MAX)
    assert wire.decode(wire.encode(largest), Ask) == largest
    ballot = msgspec.structs.replace(
        BALLOT,
        member="m" * 63,
        incarnation=2**53 - 1,
        sequence=2**53 - 1,
        score=wire.SCORE_MAX,
        reasons=("x" * wire.REASON_CHARS,) * wire.REASONS_MAX,
    )
    signature = b"s" * wire.SIGNATURE_BYTES
    delegation = Delegation(1, "m" * 63, 2**53 - 1, b"k" * 32, b"e" * 32)
    vote = Vote(Signed(wire.encode(ballot), signature), Signed(wire.encode(delegation), signature))
    data = wire.encode(vote)
    assert len(data) <= wire.ANSWER_BYTES
    assert wire.decode_answer(data) == vote
    certificate = Certificate(1, (vote,) * 13)
    assert wire.decode(wire.encode(certificate), Certificate) == certificate


def test_certificates_hold_some_votes_and_not_too_many() -> None:
    """None, or more than a committee can have, is no certificate."""
    for votes in ((), (VOTE,) * 14):
        with pytest.raises(InvalidInput):
            wire.decode(wire.encode(Certificate(1, votes)), Certificate)


def test_answers_are_votes_or_abstentions() -> None:
    """Both are read by their tag; anything else, and another version, is refused."""
    abstention = Abstention(1, "Overloaded")
    for answer in (VOTE, abstention):
        assert wire.decode_answer(wire.encode(answer)) == answer
    for data in (
        b"",
        wire.encode(ASK),
        wire.encode(Abstention(2, "Overloaded")),
        wire.encode(Abstention(1, "")),
        wire.encode(Abstention(1, "line\nline")),
        msgspec.msgpack.encode(["ballot", 1, "x"]),
        msgspec.msgpack.encode(["vote"]),
        msgspec.msgpack.encode(["abstention", 1, "x", "y"]),
    ):
        with pytest.raises(InvalidInput):
            wire.decode_answer(data)
    with pytest.raises(LimitExceeded):
        wire.decode_answer(bytes(wire.ANSWER_BYTES + 1))


def test_deep_nesting_is_an_error_like_any_other() -> None:
    """Arrays within arrays exhaust no stack."""
    deep = b"\x91" * 60_000 + b"\xc0"
    for kind in (Ask, Ballot, Delegation, Vote, Certificate):
        with pytest.raises(InvalidInput):
            wire.decode(deep, kind)


def test_digests_of_different_things_differ() -> None:
    """The same bytes as a request and as a ballot have different digests."""
    assert wire.request_digest(b"x") != wire.ballot_digest(b"x")


def test_a_verdict_is_deny_unless_it_says_otherwise() -> None:
    """The zero value denies."""
    assert Verdict(0) is Verdict.DENY


def test_reasons_that_fit_no_ballot_are_refused_where_they_arise() -> None:
    """The check that a judgement makes is the one the decoder makes."""
    wire.check_reason("RuleMatched: shell")
    for reason in ("", "x" * 65, "two\nlines", "naïve"):
        with pytest.raises(InvalidInput):
            wire.check_reason(reason)
