"""Whose proposal a member looks at: what enough administrators signed needs nobody's token."""

import msgspec
import pytest

from quorate.consensus import clean_run, successors
from quorate.consensus.clean_run import CleanRun
from quorate.consensus.epoch import Change, EpochRecord
from quorate.consensus.quarantine import digest_of
from quorate.consensus.succession import Endorsement
from quorate_consensus import doubts
from quorate_consensus.doubts import Why
from quorate_io.member_api import Proposal
from tests.fakes.ballots import Canaried, Committee, canaries, digest, identity

C = Committee()
POLICIES = C.next_record(Change.POLICIES, policies=digest("1"))
QUARANTINE = C.next_record(
    Change.QUARANTINE, seats=C.seats(m4={"quarantined": True}), evidence=digest("e")
)


def proposal(record: EpochRecord, admins: int) -> Proposal:
    """A record, signed by the first so many administrators."""
    return Proposal(record=record, admins=C.endorse(record, admins=admins).admins)


@pytest.mark.requirement("a proposal without a token is looked at if k administrators signed it")
def test_enough_signatures_are_as_good_as_a_token() -> None:
    """Two of three; of what the members alone decide about, no signature is."""
    for record, admins, expected in (
        (POLICIES, 2, True),
        (POLICIES, 3, True),
        (POLICIES, 1, False),
        (POLICIES, 0, False),
        (QUARANTINE, 3, False),
    ):
        found = doubts.is_signed_by_people(proposal(record, admins), C.epoch)
        assert found is expected, (record.change, admins)


def test_nobody_counts_twice_and_strangers_not_at_all() -> None:
    """One signature twice, a member's, and those of another record."""
    (one,) = proposal(POLICIES, 1).admins
    other = C.endorse(C.next_record(Change.POLICIES, policies=digest("2")), admins=3).admins
    seat = C.epoch.record.seats[0]
    for admins in (
        (one, one),
        other,
        (one, Endorsement(seat.key, one.signature)),
        (one, Endorsement(seat.name, one.signature)),
    ):
        signed = msgspec.structs.replace(proposal(POLICIES, 0), admins=admins)
        assert not doubts.is_signed_by_people(signed, C.epoch)


@pytest.mark.requirement("committee: members recompute what a return rests on")
def test_a_return_is_recomputed_or_vouched_for_by_people() -> None:
    """Members sign with the run that the record names, or where it names none; with a run too
    short, another one, none though one is named, or one though none is, they do not."""
    scene = Canaried(deck=canaries(100, 100), quarantined=["m4"])
    committee, others = scene.committee, ["m0", "m1", "m2", "m3"]
    results = tuple(scene.result(n, silent=others) for n in range(200))
    data = clean_run.encode(CleanRun("m4", results))
    short = clean_run.encode(CleanRun("m4", results[1:]))
    key = identity().public_key.pem
    for named, shown, why in (
        (data, data, None),
        (b"", b"", None),
        (short, short, Why.EVIDENCE),
        (data, short, Why.EVIDENCE),
        (data, b"", Why.EVIDENCE),
        (b"", data, Why.NOT_EVIDENCE),
    ):
        evidence = digest_of(named) if named else None
        record = successors.readmission(committee.epoch, "r", "m4", key, evidence)
        admins = committee.endorse(record, admins=2).admins
        found = doubts.of(
            Proposal(record=record, admins=admins, evidence=shown), committee.epoch, None
        )
        assert (found and found.why) == why
        unsigned = Proposal(record=record, admins=admins[:1], evidence=shown)
        found = doubts.of(unsigned, committee.epoch, None)
        assert found is not None
        assert found.why is Why.ADMINS
