"""Votes: whose they are is what two signatures say, and nothing else."""

from collections.abc import Callable

import msgspec
import pytest

from quorate.consensus import signing, wire
from quorate.consensus.keys import REMEMBERED_BYTES, KeySignatures, VoteKey, _remembered
from quorate.consensus.signing import BALLOT_TAG, DELEGATION_TAG, sign_ballot, verify_vote
from quorate.consensus.wire import Signed, Vote
from quorate.errors import InvalidInput, QuorateError, SignatureError, SubjectMismatch
from tests.fakes.ballots import SIGNATURES, Committee, identity

C = Committee(quarantined=["m4"])
OTHER = Committee()
GOOD = C.vote("m0")


def test_a_genuine_vote_names_its_ballot_and_seat() -> None:
    """The ballot as it was cast, and the seat that cast it."""
    ballot, seat = verify_vote(GOOD, C.epoch, SIGNATURES)
    assert ballot == C.ballot("m0")
    assert (seat.name, seat.quarantined) == ("m0", False)


def test_a_quarantined_members_vote_is_genuine_and_says_so() -> None:
    """It verifies, for whoever watches it; that it does not count is in the seat."""
    _, seat = verify_vote(C.vote("m4"), C.epoch, SIGNATURES)
    assert seat.quarantined


def signed_by(tag: bytes, body: bytes) -> Signed:
    """``body`` under ``tag``, by m0's vote key."""
    return Signed(body, C.parties["m0"].vote_key.sign(tag + body))


def wrong_key() -> Vote:
    """A ballot signed by a key that nobody delegated to."""
    return Vote(sign_ballot(C.ballot("m0"), VoteKey()), C.delegation("m0"))


def ballot_under_the_delegations_tag() -> Vote:
    """What was signed as another kind of message."""
    body = wire.encode(C.ballot("m0"))
    return Vote(signed_by(DELEGATION_TAG, body), C.delegation("m0"))


def delegation_under_the_ballots_tag() -> Vote:
    """A delegation that the identity key signed as something else."""
    body = C.delegation("m0").body
    signature = C.parties["m0"].identity.sign(BALLOT_TAG + body)
    return Vote(GOOD.ballot, Signed(body, signature))


def delegation_by_the_vote_key() -> Vote:
    """A vote key that delegates to itself."""
    body = C.delegation("m0").body
    return Vote(GOOD.ballot, signed_by(DELEGATION_TAG, body))


def delegation_by_another_member() -> Vote:
    """m1 says that m0's key is m0's."""
    body = C.delegation("m0").body
    signature = C.parties["m1"].identity.sign(DELEGATION_TAG + body)
    return Vote(GOOD.ballot, Signed(body, signature))


def ballot_in_anothers_name() -> Vote:
    """m1 casts a ballot that names m0, with its own key and delegation."""
    ballot = C.ballot("m0")
    return Vote(sign_ballot(ballot, C.parties["m1"].vote_key), C.delegation("m1"))


def own_delegation_naming_another() -> Vote:
    """m1 signs a delegation for m0, to m1's key."""
    key = C.parties["m1"].vote_key
    body = C.delegation("m0", vote_key=key.public).body
    signature = C.parties["m1"].identity.sign(DELEGATION_TAG + body)
    return Vote(sign_ballot(C.ballot("m0"), key), Signed(body, signature))


ATTACKS: list[tuple[Callable[[], Vote], type[QuorateError], str]] = [
    (wrong_key, SignatureError, "not signed by m0's vote key"),
    (ballot_under_the_delegations_tag, SignatureError, "not signed by m0's vote key"),
    (delegation_under_the_ballots_tag, SignatureError, "delegation is not signed by m0"),
    (delegation_by_the_vote_key, SignatureError, "delegation is not signed by m0"),
    (delegation_by_another_member, SignatureError, "delegation is not signed by m0"),
    (ballot_in_anothers_name, SubjectMismatch, "another's delegation"),
    (own_delegation_naming_another, SignatureError, "delegation is not signed by m0"),
    (lambda: C.vote("m0", epoch=OTHER.epoch.digest), SubjectMismatch, "another epoch"),
    (
        lambda: Vote(GOOD.ballot, C.delegation("m0", epoch=OTHER.epoch.digest)),
        SubjectMismatch,
        "another epoch",
    ),
    (
        lambda: Vote(GOOD.ballot, C.delegation("m0", incarnation=2)),
        SubjectMismatch,
        "another's delegation",
    ),
    (lambda: Vote(GOOD.ballot, C.delegation("m1")), SubjectMismatch, "another's delegation"),
    (lambda: OTHER.vote("m0"), SubjectMismatch, "another epoch"),
    (lambda: OTHER.vote("m0", epoch=C.epoch.digest), SubjectMismatch, "another epoch"),
    (
        lambda: Vote(
            OTHER.vote("m0", epoch=C.epoch.digest).ballot,
            OTHER.delegation("m0", epoch=C.epoch.digest),
        ),
        SignatureError,
        "delegation is not signed by m0",
    ),
    (lambda: Vote(Signed(b"\x00", b"s"), C.delegation("m0")), InvalidInput, "array"),
    (lambda: Vote(GOOD.ballot, Signed(b"\x90", b"s")), InvalidInput, "array"),
    (lambda: Vote(C.delegation("m0"), C.delegation("m0")), InvalidInput, "array"),
]


@pytest.mark.requirement("committee: nobody votes in another's name")
@pytest.mark.parametrize(
    ("attack", "error", "why"), ATTACKS, ids=lambda a: getattr(a, "__name__", "")
)
def test_votes_that_are_not_the_members_own_are_refused(
    attack: Callable[[], Vote], error: type[QuorateError], why: str
) -> None:
    """Wrong key, tag, epoch, incarnation or delegation: refused, with the reason."""
    with pytest.raises(error, match=why):
        verify_vote(attack(), C.epoch, SIGNATURES)


def test_a_stranger_has_no_vote() -> None:
    """Who has no seat in the epoch is refused by name, whatever keys it has."""
    six = Committee(msgspec.structs.replace(C.epoch.record.thresholds, n=6, fast=4))
    vote = six.vote("m5", epoch=C.epoch.digest)
    with pytest.raises(SubjectMismatch, match="m5 is no member of epoch 0"):
        verify_vote(vote, C.epoch, SIGNATURES)


def test_tags_of_messages_differ_and_none_begins_another() -> None:
    """No signed text of one kind can be read as another kind's."""
    tags = [signing.BALLOT_TAG, signing.DELEGATION_TAG, b"quorate.dev/epoch/v1\0"]
    assert [a for a in tags for b in tags if a is not b and a.startswith(b)] == []
    assert all(tag.endswith(b"\0") for tag in tags)


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), b"\xff" * 32])
def test_keys_that_are_none_verify_nothing(key: bytes) -> None:
    """A wrong length, or no point of the curve: False, not an exception."""
    assert not KeySignatures().by_vote_key(key, bytes(64), b"data")


@pytest.mark.parametrize("pem", ["", "no key", "-----BEGIN PUBLIC KEY-----\nAA\n-----END"])
def test_texts_that_are_no_keys_verify_nothing(pem: str) -> None:
    """False, not an exception."""
    assert not KeySignatures().by_identity(pem, bytes(64), b"data")


def test_long_texts_are_verified_and_not_remembered() -> None:
    """Epoch records may be large and anybody may send some: they stay in no cache."""
    signer = identity()
    long = bytes(REMEMBERED_BYTES + 1)
    before = _remembered.cache_info().currsize
    for data in (long, long + b"x"):
        signature = signer.sign(data)
        assert KeySignatures().by_identity(signer.public_key.pem, signature, data)
        assert not KeySignatures().by_identity(signer.public_key.pem, signature, data + b"y")
    assert _remembered.cache_info().currsize == before


def test_what_is_remembered_is_remembered_for_these_bytes_only() -> None:
    """A delegation that verified once says nothing about another with the same signature."""
    pem = C.parties["m0"].identity.public_key.pem
    delegation = C.delegation("m0")
    data = DELEGATION_TAG + delegation.body
    for _ in range(2):
        assert SIGNATURES.by_identity(pem, delegation.signature, data)
        assert not SIGNATURES.by_identity(pem, delegation.signature, data + b"x")
        assert not SIGNATURES.by_identity(pem, delegation.signature[:-1] + b"x", data)
