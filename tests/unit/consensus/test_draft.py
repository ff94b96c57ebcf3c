"""Drafts: people sign one after the other, each sees what, and what they signed counts."""

from pathlib import Path

import msgspec
import pytest

from quorate.consensus import draft as drafts
from quorate.consensus import quarantine, succession, successors
from quorate.consensus.draft import Draft
from quorate.consensus.epoch import Admins, Change
from quorate.consensus.succession import CertifiedRecord, Endorsement, Requirement
from quorate.errors import InvalidInput, SubjectMismatch
from tests.fakes.ballots import SIGNATURES, Committee, digest, identity

C = Committee()
KEY = identity().public_key.pem


def begun(committee: Committee = C) -> Draft:
    """A rotation nobody signed."""
    seats = successors.with_key(committee.epoch.record.seats, "m1", KEY)
    record = successors.membership(committee.epoch, "a new key", seats=seats)
    return drafts.begin(committee.epoch, record)


@pytest.mark.requirement("administrators sign an epoch record offline, one after the other")
def test_two_administrators_sign_and_it_counts(tmp_path: Path) -> None:
    """The file goes from one to the other; with the members' signatures the record is certified."""
    path = tmp_path / "rotate.json"
    path.write_bytes(drafts.encode(begun()))
    assert drafts.required(begun()) == Requirement(4, 2)
    for admin in C.admins[1:]:
        signed = drafts.sign(drafts.parse(path.read_bytes()), admin, SIGNATURES)
        path.write_bytes(drafts.encode(signed))
    done = drafts.parse(path.read_bytes())
    assert drafts.signers(done, SIGNATURES) == tuple(
        admin.public_key.key_id for admin in C.admins[1:]
    )
    by_members = C.endorse(done.record, members=4).members
    certified = CertifiedRecord(done.record, by_members, done.admins)
    assert succession.verify(C.epoch, certified, SIGNATURES).seat("m1") is not None


def test_a_key_is_found_in_whatever_spelling_the_record_has() -> None:
    """The genesis may hold a key's PEM with other line ends; the signature names that text."""
    admin = identity()
    spelt = admin.public_key.pem.replace("\n", "\r\n")
    committee = Committee(admins=Admins((spelt,), 1))
    signed = drafts.sign(begun(committee), admin, SIGNATURES)
    assert [one.signer for one in signed.admins] == [spelt]
    certified = CertifiedRecord(
        signed.record, committee.endorse(signed.record, members=4).members, signed.admins
    )
    succession.verify(committee.epoch, certified, SIGNATURES)


def test_who_may_not_sign_does_not() -> None:
    """A stranger, a member, the same person twice; and nobody where the members alone decide."""
    once = drafts.sign(begun(), C.admins[0], SIGNATURES)
    for signer in (identity(), C.parties["m0"].identity, C.admins[0]):
        with pytest.raises(InvalidInput):
            drafts.sign(once, signer, SIGNATURES)
    record = C.next_record(
        Change.QUARANTINE,
        seats=C.seats(m4={"quarantined": True}),
        evidence=quarantine.digest_of(b"evidence"),
    )
    alone = drafts.begin(C.epoch, record, b"evidence")
    with pytest.raises(InvalidInput, match="members alone"):
        drafts.sign(alone, C.admins[0], SIGNATURES)


def test_a_forged_signature_counts_for_nobody_and_goes() -> None:
    """It keeps nobody from signing, and the next one's file does not hold it."""
    forged = Endorsement(C.admins[0].public_key.pem, bytes(64))
    draft = msgspec.structs.replace(begun(), admins=(forged,))
    assert drafts.signers(draft, SIGNATURES) == ()
    signed = drafts.sign(draft, C.admins[0], SIGNATURES)
    assert drafts.signers(signed, SIGNATURES) == (C.admins[0].public_key.key_id,)
    assert forged not in signed.admins


def test_a_file_that_shows_another_past_is_refused() -> None:
    """The record names the one before by digest: nobody is shown other changes than they sign."""
    draft = begun()
    shown = msgspec.structs.replace(draft.before, reason="another")
    for changed in (
        msgspec.structs.replace(draft, before=shown),
        msgspec.structs.replace(draft, evidence=b"x"),
        msgspec.structs.replace(
            draft, record=msgspec.structs.replace(draft.record, policies=digest("9"))
        ),
    ):
        with pytest.raises((SubjectMismatch, InvalidInput)):
            drafts.parse(drafts.encode(changed))
        with pytest.raises((SubjectMismatch, InvalidInput)):
            drafts.sign(changed, C.admins[0], SIGNATURES)
