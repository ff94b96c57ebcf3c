"""What members say one by one, and what it comes to: whatever those say who lie."""

import random
from datetime import timedelta
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate import certificate, names, signed_state
from quorate.consensus import history as histories
from quorate.consensus.history import History
from quorate.consensus.thresholds import PRESETS, Thresholds
from quorate.evidence import dsse
from quorate.signed_state import PodState, StateDenial, StateDenied, Word
from quorate.vouched import NoQuorum
from tests.fakes.ballots import Committee, digest
from tests.fakes.signing_epochs import RULES, Cluster
from tests.fakes.vouching import NOW, member_signer

COMMITTEES = (*PRESETS.values(), Thresholds(n=7, fast=4, strict=5, r=2))
STRANGER = member_signer()


@cache
def committee(number: int) -> tuple[list[str], History, Thresholds]:
    """The ids of the members' keys, and what is known of them."""
    one = Committee(COMMITTEES[number])
    ids = [one.parties[name].identity.public_key.key_id for name in one.names]
    return ids, histories.begin(one.epoch), COMMITTEES[number]


seconds = st.integers(-60, 600)
contents = st.integers(0, 2)


@st.composite
def word(draw: st.DrawFn, member: str, epoch: str) -> Word:
    """What one member may say: one of three things it may serve under, or a denial."""
    issued_at = NOW + timedelta(seconds=draw(seconds))
    if draw(st.booleans()):
        reason = draw(st.sampled_from(["GateFailed", "ModelUnknown", "Frozen"]))
        return Word(member, epoch, issued_at, None, StateDenial(reason, reason.lower()))
    rules = msgspec.structs.replace(RULES, requests_per_minute=1 + draw(contents))
    expires_at = issued_at + timedelta(seconds=draw(st.integers(1, 600)))
    state = PodState(rules, digest("f"), (digest("1"),), issued_at, expires_at)
    return Word(member, epoch, issued_at, state, None)


@st.composite
def heard(draw: st.DrawFn) -> tuple[int, list[Word], list[Word]]:
    """A committee, what its honest members say (one word each, or none), and what liars say."""
    number = draw(st.integers(0, len(COMMITTEES) - 1))
    ids, history, thresholds = committee(number)
    epoch = history.head.digest_text
    liars = draw(st.integers(0, thresholds.r))
    honest = [draw(word(member, epoch)) for member in ids[liars:] if draw(st.integers(0, 4)) > 0]
    lying = [*ids[:liars], STRANGER.public_key.key_id]
    lies = [
        draw(word(draw(st.sampled_from(lying)), draw(st.sampled_from([epoch, digest("0")]))))
        for _ in range(draw(st.integers(0, 6)))
    ]
    return number, honest, lies


def outcome(words: list[Word], history: History) -> PodState | str:
    """What the words come to."""
    try:
        return signed_state.agree(words, history)
    except StateDenied as denied:
        return f"denied {denied.reason} {denied}"
    except NoQuorum as error:
        return f"no quorum {error.said} {error.needed} {error.different}"


@pytest.mark.requirement("one lying member decides nothing alone")
@given(heard())
def test_nothing_comes_out_that_nobody_honest_said(
    said: tuple[int, list[Word], list[Word]],
) -> None:
    """Neither a state, nor a longer life of one, nor a denial: liars only add to what is true."""
    number, honest, lies = said
    _, history, _ = committee(number)
    found = outcome([*honest, *lies], history)
    if isinstance(found, PodState):
        backing = [
            one.state for one in honest if one.state is not None and one.state.rules == found.rules
        ]
        assert backing
        assert found.issued_at <= max(state.issued_at for state in backing)
        assert found.expires_at <= max(state.expires_at for state in backing)
        assert found.issued_at < found.expires_at
    elif found.startswith("denied"):
        assert any(one.denial is not None for one in honest)


@pytest.mark.requirement("one lying member decides nothing alone")
@given(heard(), st.randoms(use_true_random=False))
def test_the_order_of_words_changes_nothing(
    said: tuple[int, list[Word], list[Word]], chance: random.Random
) -> None:
    """Nor does hearing them twice."""
    number, honest, lies = said
    _, history, _ = committee(number)
    words = [*honest, *lies]
    found = outcome(words, history)
    again = [*words, *chance.choices(words, k=3)] if words else []
    chance.shuffle(again)
    assert outcome(again, history) == found


@pytest.mark.requirement("one lying member decides nothing alone")
@given(heard(), st.integers(0, 2), st.booleans())
def test_liars_do_not_undo_what_enough_honest_members_say(
    said: tuple[int, list[Word], list[Word]], content: int, deny: bool
) -> None:
    """All honest members say one thing: it comes out, with their times, whatever liars say."""
    number, _, lies = said
    ids, history, thresholds = committee(number)
    rules = msgspec.structs.replace(RULES, requests_per_minute=1 + content)
    epoch, ends = history.head.digest_text, NOW + timedelta(seconds=300)
    state = None if deny else PodState(rules, digest("f"), (digest("1"),), NOW, ends)
    denial = StateDenial("GateFailed", "no") if deny else None
    honest = [Word(member, epoch, NOW, state, denial) for member in ids[thresholds.r :]]
    found = outcome([*lies, *honest], history)
    if isinstance(found, PodState):
        assert (found.rules, found.issued_at, found.expires_at) == (rules, NOW, ends)
    else:
        assert deny
        assert found.startswith("denied")


@given(heard())
def test_a_quarantined_members_word_is_not_heard(
    said: tuple[int, list[Word], list[Word]],
) -> None:
    """It is as if it had said nothing."""
    cluster = quarantining()
    keys = cluster.committee.parties
    gone = keys["m4"].identity.public_key.key_id
    ids = [keys[name].identity.public_key.key_id for name in cluster.committee.names]
    epoch = cluster.epoch
    words = [
        Word(ids[index % 5], epoch, one.issued_at, one.state, one.denial)
        for index, one in enumerate([*said[1], *said[2]])
    ]
    without = [one for one in words if one.member != gone]
    assert outcome(words, cluster.history) == outcome(without, cluster.history)


@cache
def quarantining() -> Cluster:
    """Five members, of whom m4 was found lying."""
    cluster = Cluster()
    cluster.quarantine("m4")
    return cluster


STATEMENTS: tuple[dict[str, Any], ...] = ({}, {"evidence": (digest("3"),)}, {"model": "other"})
signers = st.lists(st.sampled_from(["m0", "m1", "m2", "m3", "m4", "stranger"]), unique=True)


@st.composite
def envelope(draw: st.DrawFn) -> tuple[int, frozenset[str], bytes]:
    """A certificate of one of three statements by some, possibly damaged: then of nobody."""
    cluster = quarantining()
    number, by = draw(st.integers(0, 2)), draw(signers.filter(bool))
    keys = {name: party.identity for name, party in cluster.committee.parties.items()}
    whole = cluster.certificate("m0", **STATEMENTS[number])
    payload = dsse.parse(whole).payload
    damage = draw(st.sampled_from(["", "", "", "type", "cut", "keyid", "signature"]))
    kind = names.STATE_TYPE if damage == "type" else names.CERTIFICATE_TYPE
    data = dsse.sign(payload, kind, [keys.get(name, STRANGER) for name in by])
    if damage == "cut":
        return number, frozenset(), data[: draw(st.integers(0, len(data) - 1))]
    if damage in ("keyid", "signature"):
        parsed = dsse.parse(data)
        changed = (
            dsse.Signature(bytes(64) if damage == "signature" else one.sig, "sha256:wrong")
            for one in parsed.signatures
        )
        data = dsse.Envelope(parsed.payload_type, parsed.payload, tuple(changed)).encode()
    counted = frozenset(by) - {"m4", "stranger"} if damage in ("", "keyid") else frozenset()
    return number, counted, data


@pytest.mark.requirement("certificates carry q signatures of members: strict, states r + 1")
@given(st.lists(envelope(), max_size=8), st.randoms(use_true_random=False))
def test_certificates_are_combined_from_distinct_members(
    given_: list[tuple[int, frozenset[str], bytes]], chance: random.Random
) -> None:
    """Nobody counts twice, nobody who is no member or under quarantine counts, order is nothing."""
    cluster = quarantining()
    by_statement = [
        frozenset[str]().union(*(by for number, by, _ in given_ if number == which))
        for which in range(3)
    ]
    most = max(len(by) for by in by_statement)
    envelopes = [data for _, _, data in given_]
    found = combined(envelopes, cluster.history)
    chance.shuffle(envelopes)
    assert combined(envelopes, cluster.history) == found
    if most < 4:
        assert found == f"{most} of 4, {sum(1 for by in by_statement if by)} different"
        return
    assert isinstance(found, bytes)
    verified = certificate.verify(found, cluster.history, NOW)
    assert len(verified.voters) == most
    assert len(dsse.parse(found).signatures) == most


def combined(envelopes: list[bytes], history: History) -> bytes | str:
    """What the envelopes come to."""
    try:
        return certificate.combine(envelopes, history)
    except NoQuorum as error:
        return f"{error.said} of {error.needed}, {error.different} different"
