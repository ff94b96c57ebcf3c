"""A committee with real keys in one process: the core's members, with a store in memory."""

from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.consensus import epoch as epochs
from quorate.consensus import member as core
from quorate.consensus import signing, wire
from quorate.consensus.epoch import Admins, Change, Epoch, EpochRecord, Seat
from quorate.consensus.freeze import Target
from quorate.consensus.keys import VoteKey
from quorate.consensus.member import Judge, Judgement, Key, Member, Persist, Reply
from quorate.consensus.thresholds import PRESETS, Thresholds
from quorate.consensus.wire import Delegation, Signed, Verdict
from quorate.keys import LocalSigner

DIGEST = "sha256:" + "0" * 64
APPROVE = Judgement(Verdict.APPROVE, 1)
DENY = Judgement(Verdict.DENY, 900, ("Rule",))
HARD = Judgement(Verdict.DENY, 1_000, ("Rule",), hard=True)


class Kept:
    """A store that forgets nothing."""

    def __init__(self) -> None:
        self.verdicts: dict[tuple[bytes, Key], Judgement] = {}

    def find(self, epoch: bytes, key: Key) -> Judgement | None:
        return self.verdicts.get((epoch, key))

    def is_full(self) -> bool:
        return False


class FakeMember:
    """One member that answers as soon as it is asked, as ``judgement`` says."""

    def __init__(self, name: str, identity: LocalSigner, judgement: Judgement) -> None:
        self.name = name
        self.identity = identity
        self.key = VoteKey()
        self.judgement = judgement
        self.kept = Kept()
        self.state: Member | None = None

    def join(self, epoch: Epoch) -> None:
        """Vote in ``epoch`` from now on."""
        self.state = Member(self.name, epoch, 1, self.delegation(epoch), bytes(32))

    def delegation(self, epoch: Epoch, incarnation: int = 1) -> Signed:
        """Of its vote key, by its identity key."""
        delegation = Delegation(wire.VERSION, self.name, incarnation, self.key.public, epoch.digest)
        body = wire.encode(delegation)
        return Signed(body, self.identity.sign(signing.DELEGATION_TAG + body))

    def answer(self, message: bytes) -> bytes:
        """What it says to an ask."""
        self._feed(core.Asked(1, message, Target({}), datetime.now(UTC)))
        return self._said

    def _feed(self, event: core.Event) -> None:
        assert self.state is not None
        self.state, effects = core.step(self.state, event, self.kept, self.key)
        for effect in effects:
            match effect:
                case Judge(epoch, key):
                    self._feed(core.Judged(epoch, key, self.judgement))
                case Persist(sequence, _, epoch, key, judgement):
                    self.kept.verdicts[epoch, key] = judgement
                    self._feed(core.Persisted(sequence))
                case Reply(_, data):
                    self._said = data


class FakeCommittee:
    """Members m0, m1, … of one epoch, or as they are named; all approve unless told otherwise."""

    def __init__(
        self,
        thresholds: Thresholds = PRESETS["standard"],
        names: Sequence[str] = (),
        admins: Sequence[LocalSigner] = (),
    ) -> None:
        self.keys = [ed25519.Ed25519PrivateKey.generate() for _ in range(thresholds.n)]
        self.members = [
            FakeMember(names[number] if names else f"m{number}", LocalSigner(key), APPROVE)
            for number, key in enumerate(self.keys)
        ]
        seats = tuple(
            Seat(member.name, member.identity.public_key.pem, f"zone-{member.name}", DIGEST)
            for member in self.members
        )
        record = EpochRecord(
            "c", 0, None, Change.GENESIS, "test", seats, thresholds,
            Admins(tuple(admin.public_key.pem for admin in admins), 1), DIGEST,
        )  # fmt: skip
        self.epoch = epochs.open_epoch(record)
        for member in self.members:
            member.join(self.epoch)
