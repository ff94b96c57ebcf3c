"""What an epoch record changes, in words: what people read before they sign."""

from collections.abc import Iterator

from quorate.consensus.epoch import Change, EpochRecord, Seat, material_of

_DETAILS = ("failure_domain", "judges")


def changes(before: EpochRecord, after: EpochRecord) -> tuple[str, ...]:
    """A line for everything that differs. The order of seats is no difference to anybody but the
    digest; it is said too, so that none of these lines means that nothing changes."""
    lines = [
        *_members(before, after),
        *_thresholds(before, after),
        *_admins(before, after),
        *_digests(before, after),
        *_released(before, after),
    ]
    if not lines and before.seats != after.seats:
        lines.append("the members stand in another order")
    return tuple(lines)


def _members(before: EpochRecord, after: EpochRecord) -> Iterator[str]:
    old = {seat.name: seat for seat in before.seats}
    new = {seat.name: seat for seat in after.seats}
    for name, seat in old.items():
        if name not in new:
            yield f"{name} leaves (key {material_of(seat.key)})"
    for name, seat in new.items():
        if name not in old:
            yield (
                f"{name} joins: key {material_of(seat.key)}, failure domain "
                f"{seat.failure_domain}, judges {seat.judges}"
                + (", under quarantine" if seat.quarantined else "")
            )
        else:
            yield from _seat(old[name], seat)


def _seat(old: Seat, new: Seat) -> Iterator[str]:
    if old.key != new.key:
        keys = material_of(old.key), material_of(new.key)
        same = "the same key in another spelling, " if keys[0] == keys[1] else ""
        yield f"{new.name}: key {same}{keys[0]} -> {keys[1]}"
    for detail in _DETAILS:
        was, is_ = getattr(old, detail), getattr(new, detail)
        if was != is_:
            yield f"{new.name}: {detail.replace('_', ' ')} {was} -> {is_}"
    if old.quarantined != new.quarantined:
        yield f"{new.name}: " + ("its vote is taken away" if new.quarantined else "votes again")


def _thresholds(before: EpochRecord, after: EpochRecord) -> Iterator[str]:
    for name in before.thresholds.__struct_fields__:
        was, is_ = getattr(before.thresholds, name), getattr(after.thresholds, name)
        if was != is_:
            yield f"thresholds: {name} {was} -> {is_}"


def _admins(before: EpochRecord, after: EpochRecord) -> Iterator[str]:
    old = {material_of(key) for key in before.admins.keys}
    new = {material_of(key) for key in after.admins.keys}
    yield from (f"administrators: {key} leaves" for key in sorted(old - new))
    yield from (f"administrators: {key} joins" for key in sorted(new - old))
    if before.admins.needed != after.admins.needed:
        yield f"administrators: {before.admins.needed} -> {after.admins.needed} must sign"
    elif before.admins != after.admins and old == new:
        yield "administrators: the same keys in another spelling or order"


def _digests(before: EpochRecord, after: EpochRecord) -> Iterator[str]:
    for name in ("policies", "canaries"):
        was, is_ = getattr(before, name), getattr(after, name)
        if was != is_:
            yield f"{name}: {was or 'none'} -> {is_ or 'none'}"
    if after.evidence is not None:
        yield f"evidence: {after.evidence}"
    elif after.change is Change.READMISSION:
        yield "no run of clean canaries stands behind it: who signs this vouches for the member"


def _released(before: EpochRecord, after: EpochRecord) -> Iterator[str]:
    for order in after.released:
        if order not in before.released:
            yield f"freeze {order} ends"
    forgotten = set(before.released) - set(after.released)
    if forgotten:
        yield f"{len(forgotten)} ended freezes are forgotten: who still has one holds it again"
