"""Canaries: committed to beforehand, in their order, and good for no action."""

import msgspec
import pytest

from quorate import merkle
from quorate.consensus import approval, blank, wire
from quorate.consensus.approval import certify
from quorate.consensus.blank import SOMEBODY
from quorate.consensus.canary import Canary, Deck, Revealed, check_committed
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Verdict
from quorate.errors import InvalidInput, LimitExceeded, SubjectMismatch
from tests.fakes.ballots import SIGNATURES, Canaried, canaries, digest, subject_on
from tests.fakes.blanks import somebody

DECK = Deck(canaries(5, 4))
FIRST = DECK.canaries[0]


@pytest.mark.parametrize("index", range(9))
def test_what_was_committed_to_can_be_shown(index: int) -> None:
    """Every canary at its number, also after a trip over the wire."""
    revealed = DECK.reveal(index)
    assert revealed.canary == DECK.canaries[index]
    check_committed(revealed, DECK.root)
    check_committed(msgspec.msgpack.decode(wire.encode(revealed), type=Revealed), DECK.root)


def swapped() -> Revealed:
    """Another canary with this one's proof."""
    return msgspec.structs.replace(DECK.reveal(1), canary=FIRST)


def relabelled() -> Revealed:
    """The right answer turned after the votes came in."""
    one = DECK.reveal(1)
    wrong = msgspec.structs.replace(one.canary, right=Verdict.APPROVE)
    return msgspec.structs.replace(one, canary=wrong)


FORGED = {
    "another canary": swapped(),
    "another answer": relabelled(),
    "another number": msgspec.structs.replace(DECK.reveal(1), index=2),
    "another size": msgspec.structs.replace(DECK.reveal(1), size=5),
    "another path": msgspec.structs.replace(DECK.reveal(1), path=DECK.reveal(2).path),
    "no path": msgspec.structs.replace(DECK.reveal(1), path=()),
    "another deck": Deck(canaries(4, 4)).reveal(1),
}


@pytest.mark.requirement("committee: canaries are committed to before they are asked")
@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_what_was_not_committed_to_is_refused(forged: Revealed) -> None:
    """Neither content nor label nor number can be chosen after the votes."""
    with pytest.raises(SubjectMismatch, match="not committed to"):
        check_committed(forged, DECK.root)


def test_an_epoch_without_canaries_has_none() -> None:
    """Nothing can be shown against nothing."""
    with pytest.raises(SubjectMismatch, match="committed to no canaries"):
        check_committed(DECK.reveal(0), None)
    with pytest.raises(InvalidInput, match="no digest"):
        check_committed(DECK.reveal(0), "sha256:xyz")
    with pytest.raises(SubjectMismatch):
        check_committed(DECK.reveal(0), digest("0"))


def test_a_deck_is_unsafe_first_and_asks_nothing_twice() -> None:
    """An empty deck, safe ones first, a request or a salt twice, or more than a tree holds."""
    unsafe, safe = canaries(1, 1)
    again = msgspec.structs.replace(unsafe, salt=b"s" * 16)
    same_salt = msgspec.structs.replace(safe, salt=unsafe.salt)
    for cards in ([], [safe, unsafe], [unsafe, again], [unsafe, same_salt]):
        with pytest.raises(InvalidInput, match="deck"):
            Deck(cards)
    with pytest.raises(LimitExceeded):
        Deck([unsafe] * (merkle.LEAVES_MAX + 1))


def test_nonce_and_audience_are_the_salts() -> None:
    """Two canaries share neither, nor do two pods that ask the same one; and neither shows the
    salt."""
    cards = canaries(20, 20)
    requests = [blank.fill(FIRST.blank, one) for one in (SOMEBODY, somebody("chat-0"))]
    asked = [card.subject(request) for card in cards for request in requests]
    assert len({one.nonce for one in asked} | {one.audience for one in asked}) == 160
    assert all(
        card.salt not in one.nonce + one.audience
        for card in cards
        for one in (card.subject(request) for request in requests)
    )
    first = asked[0]
    assert (len(first.nonce), len(first.audience)) == (wire.NONCE_BYTES, wire.DIGEST_BYTES)


@pytest.mark.requirement("committee: a canary's approval authorises nothing")
def test_an_approved_canary_is_no_ones_approval() -> None:
    """All members approve a canary; for an enforcement point with a nonce and a key of its own
    that certificate is about something else, even for the very same request."""
    scene = Canaried()
    result = scene.result(0, wrong=scene.committee.names)
    canary = result.revealed.canary
    request = blank.fill(canary.blank, result.asked_as)
    certificate = certify(result.votes)
    epoch = scene.committee.epoch
    assert approval.verify(certificate, epoch, canary.subject(request), SIGNATURES)
    with pytest.raises(SubjectMismatch, match="another nonce"):
        approval.verify(certificate, epoch, subject_on(request, Tier.FAST), SIGNATURES)


def test_a_canary_looks_like_any_ask() -> None:
    """What a member receives has the same fields, and nothing in it is the canary's own but what
    the salt hides."""
    canary = Canary(b"s" * 16, Verdict.DENY, "tools", Tier.STRICT, FIRST.blank)
    request = blank.fill(canary.blank, SOMEBODY)
    on = canary.subject(request)
    ask = wire.Ask(1, canary.tier, b"e" * 32, on.nonce, on.audience, 200, request)
    plain = wire.Ask(1, Tier.STRICT, b"e" * 32, b"n" * 16, b"a" * 32, 200, request)
    assert len(wire.encode(ask)) == len(wire.encode(plain))
    assert wire.decode(wire.encode(ask), wire.Ask) == ask
