"""What stays vouched for when the committee changes, and what does not."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.consensus import epoch as epochs
from quorate.consensus import history
from quorate.consensus.epoch import RECORD_TAG, Admins, Change, Epoch, EpochRecord, Seat
from quorate.consensus.keys import KeySignatures
from quorate.consensus.succession import CertifiedRecord, Endorsement
from quorate.errors import QuorateError, SignatureError, SubjectMismatch
from quorate.keys import LocalSigner
from tests.fakes.committee import FakeCommittee, FakeMember

SIGNATURES = KeySignatures()


class Scene:
    """A committee of five with one administrator."""

    def __init__(self) -> None:
        self.admin = LocalSigner(ed25519.Ed25519PrivateKey.generate())
        self.committee = FakeCommittee()
        record = msgspec.structs.replace(
            self.committee.epoch.record, admins=Admins((self.admin.public_key.pem,), 1)
        )
        self.history = history.begin(epochs.open_epoch(record))

    def next(self, change: Change, **fields: object) -> EpochRecord:
        head = self.history.head
        return msgspec.structs.replace(
            head.record,
            number=head.record.number + 1,
            previous=head.digest_text,
            change=change,
            reason="test",
            **fields,
        )

    def certify(
        self, record: EpochRecord, members: list[FakeMember], *, admin: bool
    ) -> CertifiedRecord:
        data = RECORD_TAG + epochs.encode(record)
        endorsements = tuple(
            Endorsement(member.name, member.identity.sign(data)) for member in members
        )
        pem = self.admin.public_key.pem
        admins = (Endorsement(pem, self.admin.sign(data)),) if admin else ()
        return CertifiedRecord(record, endorsements, admins)

    def extend(self, record: EpochRecord) -> Epoch:
        certified = self.certify(record, self.committee.members[:4], admin=True)
        self.history = history.extend(self.history, certified, SIGNATURES)
        return self.history.head

    def rotated(self) -> EpochRecord:
        keys = [LocalSigner(ed25519.Ed25519PrivateKey.generate()) for _ in range(5)]
        seats = tuple(
            msgspec.structs.replace(seat, key=key.public_key.pem)
            for seat, key in zip(self.history.head.record.seats, keys, strict=True)
        )
        return self.next(Change.MEMBERSHIP, seats=seats)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_rotation_voids_nothing(scene: Scene) -> None:
    """All five keys change; what the old ones signed keeps counting under their epoch."""
    before = scene.history.head
    scene.extend(scene.rotated())
    assert scene.history.find(before.digest_text) is before
    assert len(scene.history.standing(before)) == 5


def test_a_liars_word_is_gone_in_every_epoch(scene: Scene) -> None:
    """Under quarantine a key counts neither from now on nor for what it signed before."""
    before = scene.history.head
    seats = tuple(
        msgspec.structs.replace(seat, quarantined=seat.name == "m2") for seat in before.record.seats
    )
    digest = "sha256:" + "1" * 64
    scene.extend(scene.next(Change.QUARANTINE, seats=seats, evidence=digest))
    assert sorted(scene.history.standing(before)) == ["m0", "m1", "m3", "m4"]
    assert sorted(scene.history.standing(scene.history.head)) == ["m0", "m1", "m3", "m4"]


def test_a_recovery_takes_the_word_of_whom_it_puts_out(scene: Scene) -> None:
    """Administrators replace the members without asking them: their signatures count no more."""
    before = scene.history.head
    fields = {"seats": scene.rotated().seats}
    record = scene.next(Change.RECOVERY, **fields)
    scene.history = history.extend(scene.history, scene.certify(record, [], admin=True), SIGNATURES)
    assert scene.history.standing(before) == {}
    assert len(scene.history.standing(scene.history.head)) == 5


def test_a_liars_key_is_the_same_however_it_is_written(scene: Scene) -> None:
    """Put out, replaced, and later seated again in another spelling under another name: its word
    counts no more than before."""
    liar = scene.history.head.record.seats[-1]

    def seated(**changes: object) -> tuple[Seat, ...]:
        seats = scene.history.head.record.seats
        return (*seats[:-1], msgspec.structs.replace(seats[-1], **changes))

    digest = "sha256:" + "1" * 64
    scene.extend(scene.next(Change.QUARANTINE, seats=seated(quarantined=True), evidence=digest))
    other = LocalSigner(ed25519.Ed25519PrivateKey.generate()).public_key.pem
    replaced = seated(key=other, quarantined=False)
    scene.extend(scene.next(Change.MEMBERSHIP, seats=replaced, evidence=None))
    scene.extend(scene.next(Change.MEMBERSHIP, seats=seated(name="new", key=f"\n{liar.key}")))
    assert sorted(scene.history.standing(scene.history.head)) == ["m0", "m1", "m2", "m3"]


def test_without_its_signatures_nothing_follows(scene: Scene) -> None:
    """Three of four members, or no administrator: the head stays."""
    record = scene.rotated()
    for members, admin in ((3, True), (5, False)):
        certified = scene.certify(record, scene.committee.members[:members], admin=admin)
        with pytest.raises(SignatureError):
            history.extend(scene.history, certified, SIGNATURES)


def test_only_recent_epochs_are_known(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was signed too many epochs ago is not looked up any more."""
    monkeypatch.setattr(history, "RECENT_MAX", 3)
    first = scene.history.head
    for number in range(3):
        scene.extend(scene.next(Change.POLICIES, policies="sha256:" + f"{number + 1:064x}"))
    with pytest.raises(SubjectMismatch, match="long past"):
        scene.history.find(first.digest_text)


def test_following_skips_what_is_known(scene: Scene) -> None:
    """A chain from the beginning may be shown again; a gap or another branch may not."""
    chain = []
    for number in range(3):
        record = scene.next(Change.POLICIES, policies="sha256:" + f"{number + 1:064x}")
        chain.append(scene.certify(record, scene.committee.members[:4], admin=True))
        scene.extend(record)
    fresh = history.begin(scene.history.recent[0])
    assert history.follow(fresh, chain, SIGNATURES).head.digest == scene.history.head.digest
    assert history.follow(scene.history, chain, SIGNATURES) == scene.history
    with pytest.raises(QuorateError):
        history.follow(fresh, chain[1:], SIGNATURES)
