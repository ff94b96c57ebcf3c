"""Whose word counts: certificates, receipts and states by the epoch that their signers were in."""

import msgspec
import pytest

from quorate import certificate, receipt, signed_state
from quorate.certificate import Statement
from quorate.consensus import history as histories
from quorate.consensus.epoch import Change
from quorate.consensus.history import EpochUnknown
from quorate.consensus.thresholds import Thresholds
from quorate.errors import SignatureError, SubjectMismatch
from quorate.evidence import dsse
from quorate.keys import LocalSigner
from quorate.receipt import ReceiptStatement
from quorate.signed_state import PolicyState, StateStatement
from quorate.vouched import NoQuorum
from tests.fakes.ballots import Party, digest
from tests.fakes.signing_epochs import KINDS, POLICY, Cluster, Kind, see_state
from tests.fakes.vouching import NOW

every_kind = pytest.mark.parametrize("kind", KINDS, ids=["certificate", "receipt", "state"])
by_quorum = pytest.mark.parametrize("kind", KINDS[:2], ids=["certificate", "receipt"])
ALL = ("m0", "m1", "m2", "m3", "m4")


@by_quorum
@pytest.mark.requirement("certificates carry q signatures of members: strict, states r + 1")
def test_enough_members_and_not_one_fewer(kind: Kind) -> None:
    """Four of five for what certifies."""
    cluster = Cluster()
    kind.see(kind.sign(cluster, *ALL[: kind.needed]), cluster.history)
    with pytest.raises(SignatureError):
        kind.see(kind.sign(cluster, *ALL[: kind.needed - 1]), cluster.history)


@by_quorum
@pytest.mark.requirement("distinct members: nobody's word counts twice")
def test_the_same_member_twice_is_one(kind: Kind) -> None:
    """Its signature copied, under another keyid too, adds nothing."""
    cluster = Cluster()
    parsed = dsse.parse(kind.sign(cluster, *ALL[: kind.needed - 1]))
    first = parsed.signatures[0]
    for keyid in (first.keyid, "", cluster.committee.parties["m4"].identity.public_key.key_id):
        again = dsse.Signature(first.sig, keyid)
        copied = dsse.Envelope(parsed.payload_type, parsed.payload, (*parsed.signatures, again))
        with pytest.raises(SignatureError):
            kind.see(copied.encode(), cluster.history)


@by_quorum
@pytest.mark.requirement("admission certificates count while q of their signers are unrevoked")
def test_a_signer_that_is_quarantined_later_no_longer_counts(kind: Kind) -> None:
    """What it signed before is one signature short; with one more honest signer it counts."""
    cluster = Cluster()
    short = kind.sign(cluster, "m4", *ALL[: kind.needed - 1])
    enough = kind.sign(cluster, "m4", *ALL[: kind.needed])
    kind.see(short, cluster.history)
    cluster.quarantine("m4")
    with pytest.raises(SignatureError):
        kind.see(short, cluster.history)
    kind.see(enough, cluster.history)


@every_kind
@pytest.mark.requirement("admission certificates count while q of their signers are unrevoked")
def test_a_rotation_voids_nothing(kind: Kind) -> None:
    """Every key was replaced since: what the old ones signed counts as it did."""
    cluster = Cluster()
    before = kind.sign(cluster, *ALL[: kind.needed])
    cluster.rotate()
    cluster.rotate()
    kind.see(before, cluster.history)
    kind.see(kind.sign(cluster, *ALL[: kind.needed]), cluster.history)


@every_kind
def test_old_keys_do_not_sign_for_the_new_epoch(kind: Kind) -> None:
    """A key that was rotated out vouches for nothing that names the epoch after it."""
    cluster = Cluster()
    old = cluster.committee.parties
    cluster.rotate()
    cluster.committee.parties = old
    with pytest.raises(SignatureError):
        kind.see(kind.sign(cluster, *ALL), cluster.history)


@by_quorum
def test_signatures_of_two_epochs_do_not_add_up(kind: Kind) -> None:
    """Half of them by keys of the epoch before: the statement names one epoch."""
    cluster = Cluster()
    old = dict(cluster.committee.parties)
    cluster.rotate()
    keep = ALL[: kind.needed - 1]
    cluster.committee.parties |= {name: old[name] for name in ALL if name not in keep}
    with pytest.raises(SignatureError):
        kind.see(kind.sign(cluster, *ALL), cluster.history)


@every_kind
@pytest.mark.requirement("bad input: wrong epoch")
def test_an_epoch_that_is_not_known(kind: Kind) -> None:
    """Newer than what is known, made up, or of another cluster: it is refused as unknown."""
    cluster = Cluster()
    known = cluster.history
    cluster.rotate()
    stranger = Cluster()
    for envelope in (
        kind.sign(cluster, *ALL),
        kind.sign(cluster, *ALL, epoch=digest("0")),
        kind.sign(stranger, *ALL),
    ):
        with pytest.raises(EpochUnknown):
            kind.see(envelope, known)


@every_kind
def test_an_epoch_long_past_is_not_known(kind: Kind) -> None:
    """Only so many are kept: far more than a certificate outlives."""
    cluster = Cluster()
    envelope = kind.sign(cluster, *ALL[: kind.needed])
    for _ in range(histories.RECENT_MAX - 1):
        cluster.change_policies()
    kind.see(envelope, cluster.history)
    cluster.change_policies()
    with pytest.raises(EpochUnknown):
        kind.see(envelope, cluster.history)


@every_kind
@pytest.mark.requirement("bad input: wrong epoch")
def test_strangers_under_our_epoch(kind: Kind) -> None:
    """Who knows the digest of an epoch is no member of it."""
    cluster, stranger = Cluster(), Cluster()
    with pytest.raises(SignatureError):
        kind.see(kind.sign(stranger, *ALL, epoch=cluster.epoch), cluster.history)


@every_kind
def test_another_cluster_under_our_epoch(kind: Kind) -> None:
    """Our members signed it, and it says that it is of another cluster."""
    cluster = Cluster()
    with pytest.raises(SubjectMismatch):
        kind.see(kind.sign(cluster, *ALL, cluster_id="cluster-2"), cluster.history)


@every_kind
def test_administrators_put_out_whom_they_no_longer_trust(kind: Kind) -> None:
    """After a recovery too few of the old members are believed: nobody can sign for them."""
    cluster = Cluster()
    envelope = kind.sign(cluster, *ALL)
    fresh = {name: Party() for name in ALL}
    seats = cluster.committee.seats(
        **{name: {"key": party.identity.public_key.pem} for name, party in fresh.items()}
    )
    cluster.follow(Change.RECOVERY, members=0, seats=seats)
    with pytest.raises(SignatureError, match="still believed"):
        kind.see(envelope, cluster.history)


def test_a_state_with_a_certificate_that_lost_a_signer() -> None:
    """An honest member signs the state; the certificate in it is one signature short."""
    cluster = Cluster()
    short = cluster.certificate("m4", "m0", "m1", "m2")
    policy = PolicyState(POLICY, digest("1"), short.decode())
    envelope = cluster.state("m0", policies=(policy,))
    see_state(envelope, cluster.history)
    cluster.quarantine("m4")
    with pytest.raises(SignatureError):
        see_state(envelope, cluster.history)


def test_a_state_and_its_certificate_may_be_of_two_epochs() -> None:
    """The members changed between the two: both count, each by its own signers."""
    cluster = Cluster()
    policy = PolicyState(POLICY, digest("1"), cluster.certificate(*ALL).decode())
    cluster.rotate()
    see_state(cluster.state("m0", policies=(policy,)), cluster.history)


def test_a_state_is_one_members_word() -> None:
    """Two in one envelope are not two words: each member answers for itself."""
    cluster = Cluster()
    word = signed_state.read(cluster.state("m3"), cluster.history, "uid", NOW)
    assert word.member == cluster.committee.parties["m3"].identity.public_key.key_id
    with pytest.raises(SignatureError, match="one member's"):
        see_state(cluster.state("m0", "m1"), cluster.history)
    cluster.quarantine("m3")
    with pytest.raises(SignatureError):
        see_state(cluster.state("m3"), cluster.history)


@every_kind
@pytest.mark.requirement("a committee of one certifies alone")
def test_a_committee_of_one(kind: Kind) -> None:
    """Its only member is enough for everything, and nobody else is."""
    alone = Cluster(Thresholds(n=1, fast=1, strict=1, r=0))
    kind.see(kind.sign(alone, "m0"), alone.history)
    stranger = Cluster(Thresholds(n=1, fast=1, strict=1, r=0))
    forged = kind.sign(stranger, "m0", epoch=alone.epoch)
    with pytest.raises(SignatureError):
        kind.see(forged, alone.history)


def test_a_statement_names_its_epoch() -> None:
    """None of the three kinds can be read without one."""
    for kind in (Statement, ReceiptStatement, StateStatement):
        assert "epoch" in kind.__struct_fields__
        assert "epoch" not in {
            field.name for field in msgspec.structs.fields(kind) if not field.required
        }


@by_quorum
@pytest.mark.requirement("certificates carry q signatures of members: strict, states r + 1")
def test_signatures_of_single_members_are_put_together(kind: Kind) -> None:
    """Four envelopes of one signature are one of four, which verifies; three are not enough."""
    cluster = Cluster()
    envelopes = [kind.sign(cluster, name) for name in ALL]
    for some in (envelopes[:4], envelopes, [kind.sign(cluster, *ALL[:3]), envelopes[3]]):
        whole = combine(kind, some, cluster)
        kind.see(whole, cluster.history)
        assert len(dsse.parse(whole).signatures) == min(5, len(some) if len(some) > 2 else 4)
        assert combine(kind, some[::-1], cluster) == whole
    for few in ([], envelopes[:3], envelopes[:3] * 3):
        with pytest.raises(NoQuorum, match=f"{len(set(few))} members signed the same") as error:
            combine(kind, few, cluster)
        assert (error.value.said, error.value.needed) == (len(set(few)), 4)


@by_quorum
@pytest.mark.requirement("bad input: a clear error or DENY, no crash")
def test_what_cannot_be_read_takes_nothing_away(kind: Kind) -> None:
    """Rubbish, another type, another payload, a stranger: the rest counts as without."""
    cluster, stranger = Cluster(), Cluster()
    odd = [b"", b"{}", b"\xff", cluster.state("m4"), kind.sign(stranger, "m0", epoch=cluster.epoch)]
    odd.append(dsse.sign(b"[]", dsse.parse(kind.sign(cluster, "m4")).payload_type, keys(cluster)))
    envelopes = [kind.sign(cluster, name) for name in ALL[:4]]
    assert combine(kind, [*odd, *envelopes], cluster) == combine(kind, envelopes, cluster)
    with pytest.raises(NoQuorum, match="3 members signed"):
        combine(kind, [*odd, *envelopes[:3]], cluster)


@by_quorum
def test_a_quarantined_member_is_not_put_in(kind: Kind) -> None:
    """Its signature is left out, also where there would be enough with it."""
    cluster = Cluster()
    envelopes = [kind.sign(cluster, name) for name in ALL]
    cluster.quarantine("m4")
    assert len(dsse.parse(combine(kind, envelopes, cluster)).signatures) == 4
    with pytest.raises(NoQuorum):
        combine(kind, envelopes[1:], cluster)


@by_quorum
@pytest.mark.requirement("bad input: wrong epoch")
def test_who_names_an_epoch_that_is_not_known(kind: Kind) -> None:
    """One that does so may lie; of two one is honest, and the epoch is asked for."""
    cluster = Cluster()
    known, old = cluster.history, [kind.sign(cluster, name) for name in ALL[:3]]
    cluster.change_policies()
    new = [kind.sign(cluster, name) for name in ALL[3:]]
    with pytest.raises(NoQuorum):
        COMBINE[kind.sign]([*old, new[0]], known)
    with pytest.raises(EpochUnknown):
        COMBINE[kind.sign]([*old, *new], known)


COMBINE = {
    Cluster.certificate: certificate.combine,
    Cluster.receipt: receipt.combine,
}


def combine(kind: Kind, envelopes: list[bytes], cluster: Cluster) -> bytes:
    """What single members signed, put together."""
    return COMBINE[kind.sign](envelopes, cluster.history)


def keys(cluster: Cluster) -> list[LocalSigner]:
    """Of all members."""
    return [party.identity for party in cluster.committee.parties.values()]
