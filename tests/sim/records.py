"""Epoch records that somebody proposes: administrators, and liars."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from random import Random

import msgspec

from quorate.consensus import quarantine
from quorate.consensus.canary import Canary, Deck, Revealed
from quorate.consensus.epoch import (
    RECORD_TAG,
    Admins,
    Change,
    Epoch,
    EpochRecord,
    Seat,
    encode,
)
from quorate.consensus.succession import Endorsement
from quorate.consensus.thresholds import Thresholds, Tier
from quorate.consensus.wire import Verdict
from tests.sim.keys import Identity, Scheme, key_names
from tests.sim.requests import STRATA, Request, Truth

CLUSTER = "sim"
NO_JUDGES = f"sha256:{'0' * 64}"
OF_EACH_KIND = 10
FIRST_CANARY = 1_000
ADMINS = 3
ADMINS_NEEDED = 2


def canary_request(index: int) -> Request:
    """What canary ``index`` asks about; the unsafe ones come first."""
    truth = Truth.UNSAFE if index < OF_EACH_KIND else Truth.SAFE
    return Request(FIRST_CANARY + index, truth, STRATA[index % 2], is_canary=True)


def _canary(index: int) -> Canary:
    request = canary_request(index)
    return Canary(
        salt=index.to_bytes(16, "big"),
        right=Verdict.APPROVE if request.truth is Truth.SAFE else Verdict.DENY,
        stratum=request.stratum,
        tier=Tier.STRICT if index % 3 else Tier.FAST,
        blank=request.blank,
    )


DECK = Deck([_canary(index) for index in range(2 * OF_EACH_KIND)])


@lru_cache(maxsize=2 * OF_EACH_KIND)
def revealed(index: int) -> Revealed:
    """Canary ``index`` of the deck, with its proof."""
    return DECK.reveal(index)


@lru_cache(maxsize=1)
def _root() -> str:
    return DECK.root


def admins_of(scheme: Scheme) -> list[Identity]:
    """The administrators' keys."""
    return [scheme.identity(f"admin-{i}") for i in range(ADMINS)]


def genesis(thresholds: Thresholds, names: Sequence[str], scheme: Scheme) -> EpochRecord:
    """Number 0."""
    seats = tuple(
        Seat(name, scheme.identity(name).text, f"zone-{i}", NO_JUDGES)
        for i, name in enumerate(names)
    )
    admins = Admins(tuple(key.text for key in admins_of(scheme)), ADMINS_NEEDED)
    return EpochRecord(
        cluster_id=CLUSTER,
        number=0,
        previous=None,
        change=Change.GENESIS,
        reason="genesis",
        seats=seats,
        thresholds=thresholds,
        admins=admins,
        policies=NO_JUDGES,
        canaries=_root(),
    )


def following(head: Epoch, change: Change, reason: str, **changes: object) -> EpochRecord:
    """A record after ``head``."""
    return msgspec.structs.replace(
        head.record,
        number=head.record.number + 1,
        previous=head.digest_text,
        change=change,
        reason=reason,
        evidence=changes.pop("evidence", None),
        **changes,
    )


def signed_by(record: EpochRecord, admins: Sequence[Identity]) -> tuple[Endorsement, ...]:
    """Administrators' signatures of ``record``."""
    body = RECORD_TAG + encode(record)
    return tuple(Endorsement(admin.text, admin.sign(body)) for admin in admins)


def _policies(head: Epoch, scheme: Scheme, number: int, random: Random) -> EpochRecord | None:
    return following(
        head, Change.POLICIES, f"policies {number}", policies=f"sha256:{number + 1:064x}"
    )


def _canaries(head: Epoch, scheme: Scheme, number: int, random: Random) -> EpochRecord | None:
    return following(head, Change.CANARIES, "another deck", canaries=f"sha256:{number + 1:064x}")


def _rotate(head: Epoch, scheme: Scheme, number: int, random: Random) -> EpochRecord | None:
    """A member gets its other identity key."""
    seat = random.choice(head.record.seats)
    renewed = scheme.identity(key_names(seat.name)[1]).text
    if seat.key == renewed:
        return None
    seats = _with(head, msgspec.structs.replace(seat, key=renewed))
    return following(head, Change.MEMBERSHIP, f"{seat.name} has a new key", seats=seats)


def _grow(head: Epoch, scheme: Scheme, number: int, random: Random) -> EpochRecord | None:
    """One member more, and thresholds to go with it."""
    after = GROWN.get(head.record.thresholds.n)
    if after is None or head.seat("spare") is not None:
        return None
    spare = Seat("spare", scheme.identity("spare").text, "zone-spare", NO_JUDGES)
    seats = (*head.record.seats, spare)
    return following(head, Change.MEMBERSHIP, "one more", seats=seats, thresholds=after)


def _readmit(head: Epoch, scheme: Scheme, number: int, random: Random) -> EpochRecord | None:
    """Who is under quarantine comes back, mostly with a new key."""
    away = [seat for seat in head.record.seats if seat.quarantined]
    if not away:
        return None
    seat = away[0]
    key = scheme.identity(key_names(seat.name)[random.random() < 0.7]).text
    seats = _with(head, msgspec.structs.replace(seat, key=key, quarantined=False))
    return following(head, Change.READMISSION, f"{seat.name} comes back", seats=seats)


def _with(head: Epoch, changed: Seat) -> tuple[Seat, ...]:
    return tuple(changed if seat.name == changed.name else seat for seat in head.record.seats)


Make = Callable[[Epoch, Scheme, int, Random], EpochRecord | None]
CHANGES: dict[str, Make] = {
    "policies": _policies,
    "canaries": _canaries,
    "rotate": _rotate,
    "grow": _grow,
    "readmit": _readmit,
}
GROWN = {
    4: Thresholds(n=5, fast=3, strict=4, r=1),
    5: Thresholds(n=6, fast=4, strict=4, r=1),
    6: Thresholds(n=7, fast=5, strict=5, r=2),
}


def quarantine_of(head: Epoch, victim: str, evidence: bytes) -> EpochRecord:
    """A quarantine of ``victim``, whether ``evidence`` convicts it or not."""
    seats = tuple(
        msgspec.structs.replace(seat, quarantined=True) if seat.name == victim else seat
        for seat in head.record.seats
    )
    return following(
        head,
        Change.QUARANTINE,
        f"{victim}: equivocation",
        seats=seats,
        evidence=quarantine.digest_of(evidence),
    )
