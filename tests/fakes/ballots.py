"""A committee with real keys: who sits in it, who votes for what, and who signs which record.

Only the parties are made up: every signature verifies with the production scheme.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.consensus import blank, wire
from quorate.consensus import epoch as epochs
from quorate.consensus.approval import Subject, certify
from quorate.consensus.blank import SOMEBODY, AskedAs
from quorate.consensus.canary import Canary, Deck
from quorate.consensus.detector import Result
from quorate.consensus.epoch import RECORD_TAG, Admins, Change, Epoch, EpochRecord, Seat
from quorate.consensus.keys import KeySignatures, VoteKey
from quorate.consensus.signing import DELEGATION_TAG, sign_ballot
from quorate.consensus.succession import CertifiedRecord, Endorsement
from quorate.consensus.thresholds import PRESETS, Thresholds, Tier
from quorate.consensus.wire import Ballot, Delegation, Signed, Verdict, Vote
from quorate.keys import LocalSigner
from tests.fakes.blanks import canary_blank

SIGNATURES = KeySignatures()
CLUSTER = "cluster-1"
POLICIES = f"sha256:{'a' * 64}"
JUDGES = bytes.fromhex("dd" * 32)
REQUEST = b'{"action":"call","tool":"shell"}'
SUBJECT = Subject(wire.request_digest(REQUEST), Tier.STRICT, bytes(16), bytes(32))


def digest(char: str) -> str:
    """A digest of nothing in particular."""
    return f"sha256:{char * 64}"


def identity() -> LocalSigner:
    """A fresh identity key."""
    return LocalSigner(ed25519.Ed25519PrivateKey.generate())


def subject_on(request: bytes, tier: Tier = Tier.STRICT, *, ask: int = 0) -> Subject:
    """What votes on ask number ``ask`` about ``request`` must be about."""
    return Subject(
        wire.request_digest(request), tier, ask.to_bytes(16, "big"), ask.to_bytes(32, "big")
    )


@dataclass
class Party:
    """A member's keys."""

    private: ed25519.Ed25519PrivateKey = field(default_factory=ed25519.Ed25519PrivateKey.generate)
    vote_key: VoteKey = field(default_factory=VoteKey)

    @cached_property
    def identity(self) -> LocalSigner:
        """What signs with the identity key."""
        return LocalSigner(self.private)


def genesis(
    parties: dict[str, Party],
    thresholds: Thresholds,
    administrators: Iterable[LocalSigner],
    **changes: Any,
) -> EpochRecord:
    """Record number 0 for ``parties``, with ``changes`` to its fields."""
    keys = tuple(one.public_key.pem for one in administrators)
    record = EpochRecord(
        cluster_id=CLUSTER,
        number=0,
        previous=None,
        change=Change.GENESIS,
        reason="the first",
        seats=tuple(
            Seat(name, party.identity.public_key.pem, f"zone-{name}", digest("b"))
            for name, party in parties.items()
        ),
        thresholds=thresholds,
        admins=Admins(keys, needed=2 if len(keys) > 1 else 1),
        policies=POLICIES,
    )
    return msgspec.structs.replace(record, **changes)


class Committee:
    """Members ``m0`` to ``m(n-1)`` and three administrators, of whom two must sign.

    ``m`` may be another ``prefix``.
    """

    def __init__(
        self,
        thresholds: Thresholds = PRESETS["standard"],
        *,
        quarantined: Iterable[str] = (),
        prefix: str = "m",
        **changes: Any,
    ) -> None:
        self.parties = {f"{prefix}{number}": Party() for number in range(thresholds.n)}
        self.admins = [identity() for _ in range(3)]
        record = genesis(self.parties, thresholds, self.admins, **changes)
        away = set(quarantined)
        seats = tuple(
            msgspec.structs.replace(seat, quarantined=seat.name in away) for seat in record.seats
        )
        self.epoch = epochs.open_epoch(msgspec.structs.replace(record, seats=seats))

    @property
    def names(self) -> list[str]:
        """Names of all members, in order."""
        return list(self.parties)

    def delegation(self, name: str, *, incarnation: int = 1, **changes: Any) -> Signed:
        """``name`` delegates to its vote key, with ``changes`` to what it signs."""
        delegation = Delegation(
            version=wire.VERSION,
            member=name,
            incarnation=incarnation,
            vote_key=self.parties[name].vote_key.public,
            epoch=self.epoch.digest,
        )
        body = wire.encode(msgspec.structs.replace(delegation, **changes))
        return Signed(body, self.parties[name].identity.sign(DELEGATION_TAG + body))

    def ballot(
        self, name: str, verdict: Verdict = Verdict.APPROVE, subject: Subject = SUBJECT, **rest: Any
    ) -> Ballot:
        """A ballot of ``name`` on ``subject``, with ``rest`` of its fields."""
        ballot = Ballot(
            version=wire.VERSION,
            member=name,
            incarnation=1,
            sequence=1,
            previous=bytes(32),
            request=subject.request,
            tier=subject.tier,
            epoch=self.epoch.digest,
            nonce=subject.nonce,
            audience=subject.audience,
            verdict=verdict,
            hard=False,
            score=10,
            reasons=(),
            judges=JUDGES,
        )
        return msgspec.structs.replace(ballot, **rest)

    def sign(self, ballot: Ballot) -> Vote:
        """The vote that ``ballot`` is, with the delegation of its incarnation."""
        signed = sign_ballot(ballot, self.parties[ballot.member].vote_key)
        return Vote(signed, self.delegation(ballot.member, incarnation=ballot.incarnation))

    def vote(
        self, name: str, verdict: Verdict = Verdict.APPROVE, subject: Subject = SUBJECT, **rest: Any
    ) -> Vote:
        """A vote of ``name``."""
        return self.sign(self.ballot(name, verdict, subject, **rest))

    def certificate(self, names: Iterable[str], subject: Subject = SUBJECT) -> bytes:
        """The certificate of the approvals of ``names``."""
        return certify(self.vote(name, Verdict.APPROVE, subject) for name in names)

    def next_record(self, change: Change, **changes: Any) -> EpochRecord:
        """A record that would follow, with ``changes`` to its fields."""
        follows: dict[str, Any] = {
            "number": self.epoch.record.number + 1,
            "previous": self.epoch.digest_text,
            "change": change,
            "reason": "because",
            "evidence": None,
        }
        return msgspec.structs.replace(self.epoch.record, **(follows | changes))

    def endorse(self, record: EpochRecord, members: int = 0, admins: int = 0) -> CertifiedRecord:
        """``record``, signed by the first so many members and administrators."""
        data = RECORD_TAG + epochs.encode(record)
        by_members = tuple(
            Endorsement(name, self.parties[name].identity.sign(data))
            for name in self.names[:members]
        )
        by_admins = tuple(
            Endorsement(admin.public_key.pem, admin.sign(data)) for admin in self.admins[:admins]
        )
        return CertifiedRecord(record, by_members, by_admins)

    def seats(self, **changed: dict[str, Any]) -> tuple[Seat, ...]:
        """The seats, with ``changed`` fields by member."""
        return tuple(
            msgspec.structs.replace(seat, **changed.get(seat.name, {}))
            for seat in self.epoch.record.seats
        )

    def open(self, record: EpochRecord) -> Epoch:
        """Go on to ``record``, whoever signed it."""
        self.epoch = epochs.open_epoch(record)
        return self.epoch


def canaries(unsafe: int = 60, safe: int = 60) -> list[Canary]:
    """That many canaries, each another request, in the order of a deck."""
    rights = [Verdict.DENY] * unsafe + [Verdict.APPROVE] * safe
    return [
        Canary(number.to_bytes(16, "big"), right, "tools", Tier.FAST, canary_blank(str(number)))
        for number, right in enumerate(rights)
    ]


class Canaried:
    """A committee that committed to a deck, and the results its members' verdicts make."""

    def __init__(self, thresholds: Thresholds = PRESETS["standard"], **rest: Any) -> None:
        self.deck = Deck(rest.pop("deck", None) or canaries())
        self.committee = Committee(thresholds, canaries=self.deck.root, **rest)

    def result(
        self,
        index: int,
        wrong: Iterable[str] = (),
        silent: Iterable[str] = (),
        asked_as: AskedAs = SOMEBODY,
    ) -> Result:
        """Canary ``index``, answered wrongly by ``wrong``, not by ``silent``, rightly by others."""
        canary = self.deck.canaries[index]
        subject = canary.subject(blank.fill(canary.blank, asked_as))
        other = Verdict(1 - canary.right)
        mistaken, missing = set(wrong), set(silent)
        votes = tuple(
            self.committee.vote(
                name, other if name in mistaken else canary.right, subject, sequence=index + 1
            )
            for name in self.committee.names
            if name not in missing
        )
        return Result(self.deck.reveal(index), asked_as, votes)
