"""A member's side of the epoch chain: at most one record signed for each number. Pure.

One choice, kept before it is said, is what keeps the chain one chain: two certified successors
would need 2*strict - n > r members that chose twice. A split vote leaves the chain where it is,
and the administrators can move it on.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from quorate.consensus import epoch as epochs
from quorate.consensus import succession
from quorate.consensus.epoch import RECORD_TAG, Change, Epoch, EpochRecord
from quorate.consensus.signing import Signatures
from quorate.consensus.succession import CertifiedRecord, Endorsement
from quorate.errors import EvidenceError, QuorateError, SubjectMismatch


class Identity(Protocol):
    """A member's identity key: slow, perhaps in a TPM."""

    def sign(self, data: bytes) -> bytes:
        """Sign ``data``."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where a member stands: the newest epoch it knows, and what it chose as the next."""

    name: str
    head: Epoch
    chosen: str | None = None
    """``sha256:<hex>`` of the one record it signs as number head + 1."""
    waiting: tuple[tuple[int, EpochRecord], ...] = ()
    """Who waits for the choice to be kept."""
    broken: bool = False


WAITING_MAX = 16


@dataclass(frozen=True, slots=True)
class Proposed:
    """Somebody asks ``reply`` for a signature. ``doubt``: why the evidence, or what else the record
    rests on, does not hold up when this member recomputes it; None if it does."""

    reply: int
    record: EpochRecord
    doubt: QuorateError | None = None


@dataclass(frozen=True, slots=True)
class ChoiceKept:
    """The choice will be found after a crash."""

    digest: str


@dataclass(frozen=True, slots=True)
class KeepFailed:
    """The disk did not take it. This member signs no record any more until it starts again."""


@dataclass(frozen=True, slots=True)
class Certified:
    """Somebody shows a record with the signatures that make it count."""

    certified: CertifiedRecord


Event = Proposed | ChoiceKept | KeepFailed | Certified


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep the choice for number ``number``, then say :class:`ChoiceKept`."""

    number: int
    digest: str


@dataclass(frozen=True, slots=True)
class Endorsed:
    """Answer ``reply`` with the signature."""

    reply: int
    endorsement: Endorsement


class Objection(StrEnum):
    """Why a record is not signed. Stable words, for programs."""

    BROKEN = "ChoiceNotKept"
    OTHER_PLACE = "DoesNotFollow"
    NOT_ALLOWED = "ChangeNotAllowed"
    NO_SAY = "NoSay"
    RECOVERY = "RecoveryIsAdministrators"
    DOUBTED = "Doubted"
    CHOSEN = "AnotherChosen"
    WAITING = "TooManyWait"
    DECIDED = "Decided"


@dataclass(frozen=True, slots=True)
class Declined:
    """Answer ``reply`` with the reason why not."""

    reply: int
    error: QuorateError
    objection: Objection


@dataclass(frozen=True, slots=True)
class Opened:
    """A later epoch is in force; keep the record that certifies it."""

    epoch: Epoch
    certified: CertifiedRecord


@dataclass(frozen=True, slots=True)
class Ignored:
    """A certified record that does not follow, or does not verify."""

    error: QuorateError


Effect = Keep | Endorsed | Declined | Opened | Ignored


def step(
    link: Link, event: Event, identity: Identity, signatures: Signatures
) -> tuple[Link, tuple[Effect, ...]]:
    """What ``event`` changes."""
    match event:
        case Proposed():
            return _proposed(link, event, identity)
        case ChoiceKept(digest):
            return _kept(link, digest, identity)
        case KeepFailed():
            failed = EvidenceError("the choice could not be kept")
            declined = tuple(Declined(reply, failed, Objection.BROKEN) for reply, _ in link.waiting)
            return replace(link, waiting=(), broken=True), declined
        case Certified(certified):
            return _certified(link, certified, signatures)


def _proposed(link: Link, event: Proposed, identity: Identity) -> tuple[Link, tuple[Effect, ...]]:
    found = _objection(link, event)
    if found is not None:
        objection, error = found
        return link, (Declined(event.reply, error, objection),)
    digest = _digest(event.record)
    if link.chosen is None:
        link = replace(link, chosen=digest, waiting=((event.reply, event.record),))
        return link, (Keep(event.record.number, digest),)
    if link.waiting:
        return replace(link, waiting=(*link.waiting, (event.reply, event.record))), ()
    return link, (_endorsed(link, event.reply, event.record, identity),)


def _objection(link: Link, event: Proposed) -> tuple[Objection, QuorateError] | None:
    if link.broken:
        broken = EvidenceError("this member could not keep a choice; it must start again")
        return Objection.BROKEN, broken
    try:
        succession.check(link.head, event.record)
    except SubjectMismatch as error:
        return Objection.OTHER_PLACE, error
    except QuorateError as error:
        return Objection.NOT_ALLOWED, error
    seat = link.head.seat(link.name)
    if seat is None or seat.quarantined:
        silent = EvidenceError(f"{link.name} has no say in epoch {link.head.record.number}")
        return Objection.NO_SAY, silent
    if event.record.change is Change.RECOVERY:
        return Objection.RECOVERY, EvidenceError("a recovery is the administrators' to sign")
    if event.doubt is not None:
        return Objection.DOUBTED, event.doubt
    if link.chosen not in (None, _digest(event.record)):
        chosen = EvidenceError(
            f"another record was chosen as number {event.record.number}",
            fix="propose that one again, or recover with the administrators' keys",
        )
        return Objection.CHOSEN, chosen
    if len(link.waiting) >= WAITING_MAX:
        return Objection.WAITING, EvidenceError("too many wait for the same choice")
    return None


def _kept(link: Link, digest: str, identity: Identity) -> tuple[Link, tuple[Effect, ...]]:
    if digest != link.chosen:
        return link, ()
    endorsed = tuple(_endorsed(link, reply, record, identity) for reply, record in link.waiting)
    return replace(link, waiting=()), endorsed


def _endorsed(link: Link, reply: int, record: EpochRecord, identity: Identity) -> Endorsed:
    signature = identity.sign(RECORD_TAG + epochs.encode(record))
    return Endorsed(reply, Endorsement(link.name, signature))


def _certified(
    link: Link, certified: CertifiedRecord, signatures: Signatures
) -> tuple[Link, tuple[Effect, ...]]:
    if certified.record.number <= link.head.record.number:
        return link, ()
    try:
        opened = succession.verify(link.head, certified, signatures)
    except QuorateError as error:
        return link, (Ignored(error),)
    gone = EvidenceError(f"epoch {certified.record.number} is decided")
    declined = tuple(Declined(reply, gone, Objection.DECIDED) for reply, _ in link.waiting)
    link = replace(link, head=opened, chosen=None, waiting=())
    return link, (Opened(opened, certified), *declined)


def _digest(record: EpochRecord) -> str:
    return epochs.open_epoch(record).digest_text
