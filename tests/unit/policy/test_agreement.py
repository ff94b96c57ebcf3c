"""What members say of a pod one by one, and what a pod takes from it."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from quorate import signed_state
from quorate.consensus.epoch import Change
from quorate.consensus.thresholds import Thresholds
from quorate.signed_state import PodState, StateDenial, StateDenied, Word
from quorate.vouched import NoQuorum
from tests.fakes.ballots import digest
from tests.fakes.signing_epochs import RULES, Cluster
from tests.fakes.vouching import NOW

ENDS = NOW + timedelta(minutes=10)
STATE = PodState(RULES, digest("f"), (digest("1"), digest("2")), NOW, ENDS)
OTHER = replace(STATE, rules=msgspec.structs.replace(RULES, port=9000))


def says(cluster: Cluster, name: str, said: PodState | StateDenial, later: int = 0) -> Word:
    """A member's word, said ``later`` seconds after the others'."""
    member = cluster.committee.parties[name].identity.public_key.key_id
    at = NOW + timedelta(seconds=later)
    if isinstance(said, StateDenial):
        return Word(member, cluster.epoch, at, None, said)
    return Word(member, cluster.epoch, at, replace(said, issued_at=at), None)


@pytest.mark.requirement("a state counts once r + 1 members say the same")
def test_r_plus_one_members_that_say_the_same() -> None:
    """Two of five, in any order; the same member twice is one."""
    cluster = Cluster()
    one, two = says(cluster, "m0", STATE), says(cluster, "m3", STATE)
    assert signed_state.agree([one, two], cluster.history) == STATE
    assert signed_state.agree([two, one], cluster.history) == STATE
    for words in ([], [one], [one, one, says(cluster, "m0", STATE, later=1)]):
        with pytest.raises(NoQuorum):
            signed_state.agree(words, cluster.history)


@pytest.mark.parametrize(
    "other",
    [
        OTHER,
        replace(STATE, manifest_digest=digest("e")),
        replace(STATE, policy_digests=(digest("1"),)),
        replace(STATE, policy_digests=STATE.policy_digests[::-1]),
        replace(STATE, shard_size=65_536),
    ],
)
def test_what_must_be_the_same(other: PodState) -> None:
    """Rules, bytes, policies in their order, shards: one that differs is another word."""
    cluster = Cluster()
    with pytest.raises(NoQuorum, match="1 allow alike, 1 allow alike"):
        signed_state.agree(
            [says(cluster, "m0", STATE), says(cluster, "m1", other)], cluster.history
        )


def test_a_newer_word_replaces_an_older_one() -> None:
    """Of each member the last counts, however they come; at one instant its denial does."""
    cluster = Cluster()
    denial = StateDenial("GateFailed", "no")
    old = [says(cluster, name, STATE) for name in ("m0", "m1")]
    new = [says(cluster, name, denial, later=1) for name in ("m0", "m1")]
    for words in ([*old, *new], [*new, *old]):
        with pytest.raises(StateDenied):
            signed_state.agree(words, cluster.history)
    at_once = [says(cluster, "m0", STATE), says(cluster, "m0", denial), old[1]]
    with pytest.raises(NoQuorum, match="1 allow alike, 1 deny"):
        signed_state.agree(at_once, cluster.history)


def test_the_reason_that_most_give() -> None:
    """With its most common message, and how many said so; any r + 1 denials deny."""
    cluster = Cluster()
    words = [
        says(cluster, "m0", StateDenial("GateFailed", "red team")),
        says(cluster, "m1", StateDenial("Revoked", "long gone")),
        says(cluster, "m2", StateDenial("GateFailed", "red team")),
        says(cluster, "m3", StateDenial("GateFailed", "red teams")),
        says(cluster, "m4", STATE),
    ]
    with pytest.raises(StateDenied, match=r"^red team \(said by 3 of 5 members\)$") as denied:
        signed_state.agree(words, cluster.history)
    assert denied.value.reason == "GateFailed"
    with pytest.raises(StateDenied):
        signed_state.agree(words[:2], cluster.history)


def test_two_words_while_a_policy_changes() -> None:
    """Two members heard of it and two did not: what was said last counts."""
    cluster = Cluster()
    words = [says(cluster, name, STATE) for name in ("m0", "m1")]
    words += [says(cluster, name, OTHER, later=2) for name in ("m2", "m3")]
    assert signed_state.agree(words, cluster.history).rules == OTHER.rules


@pytest.mark.requirement("one lying member decides nothing alone")
def test_times_are_those_of_somebody_honest() -> None:
    """One liar neither makes it last longer, nor end sooner, nor look older than it is."""
    cluster = Cluster()
    honest = [says(cluster, name, STATE) for name in ("m1", "m2")]
    for lie in (
        replace(STATE, expires_at=ENDS + timedelta(days=9)),
        replace(STATE, expires_at=NOW + timedelta(seconds=1)),
    ):
        for later in (-3600, 0, 3600):
            found = signed_state.agree([says(cluster, "m0", lie, later), *honest], cluster.history)
            assert (found.issued_at, found.expires_at) == (NOW, ENDS)


def test_words_of_two_epochs_count_together() -> None:
    """The members are on their way from one to the next; who is no member of it is not heard."""
    cluster = Cluster()
    before = says(cluster, "m0", STATE)
    cluster.change_policies()
    after = says(cluster, "m1", STATE)
    assert signed_state.agree([before, after], cluster.history) == STATE
    cluster.rotate()
    rotated = says(cluster, "m2", STATE)
    for words in ([before, rotated], [after, rotated], [before, after, rotated]):
        with pytest.raises(NoQuorum):
            signed_state.agree(words, cluster.history)
    assert signed_state.agree([before, after], cluster.history) == STATE


def test_who_was_found_lying_is_not_heard() -> None:
    """Nor what it said before."""
    cluster = Cluster()
    words = [says(cluster, name, STATE) for name in ("m3", "m4")]
    signed_state.agree(words, cluster.history)
    cluster.quarantine("m4")
    with pytest.raises(NoQuorum):
        signed_state.agree(words, cluster.history)


def test_r_is_that_of_the_newest_epoch_named() -> None:
    """A committee that grew tolerates two: two members no longer decide."""
    cluster = Cluster(Thresholds(n=7, fast=4, strict=5, r=1))
    words = [says(cluster, name, STATE) for name in ("m0", "m1")]
    assert signed_state.agree(words, cluster.history) == STATE
    cluster.follow(Change.MEMBERSHIP, 7, thresholds=Thresholds(n=7, fast=4, strict=5, r=2))
    assert signed_state.agree(words, cluster.history) == STATE
    newer = [says(cluster, name, STATE, later=1) for name in ("m0", "m1", "m2")]
    with pytest.raises(NoQuorum, match="3 members must say the same"):
        signed_state.agree(newer[:2], cluster.history)
    assert signed_state.agree(newer, cluster.history).rules == RULES


def test_words_of_an_epoch_that_is_not_known() -> None:
    """They are not heard: whoever read them followed first."""
    cluster = Cluster()
    known = cluster.history
    cluster.change_policies()
    words = [says(cluster, name, STATE) for name in ("m0", "m1", "m2")]
    with pytest.raises(NoQuorum, match="none was heard"):
        signed_state.agree(words, known)
