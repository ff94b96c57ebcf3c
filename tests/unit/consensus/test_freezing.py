"""Freezes at a member: taken in, kept, passed on, and told to whoever waits."""

import asyncio
import json
import os
import time
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from quorate.consensus import freeze
from quorate.consensus.epoch import Change
from quorate.consensus.freeze import ORDER_TAG, Freezes, Order, Scope, SignedOrder
from quorate.consensus.succession import Endorsement
from quorate.errors import InvalidInput, LimitExceeded
from quorate_consensus.epochs import Epochs
from quorate_consensus.freeze_files import FreezeFiles
from quorate_consensus.freezing import FreezeRefused, Freezing
from quorate_io import member_api
from quorate_io.freeze_feed import FreezeFeed
from tests.fakes.ballots import CLUSTER, Committee
from tests.unit.consensus.scene import ManualClock
from tests.unit.consensus.test_freeze import HOUR, NOW, by_admin, by_member

SECOND = timedelta(seconds=1)


class Place:
    """A member of a committee, with its clock and its directory."""

    def __init__(self, directory: Path | None, committee: Committee | None = None) -> None:
        self.committee = committee or Committee()
        self.clock = ManualClock(NOW)
        self.epochs = Epochs(self.committee.epoch)
        self.directory = directory
        self.freezing = self.start()

    def start(self) -> Freezing:
        """A member as it starts."""
        files = FreezeFiles(self.directory) if self.directory else None
        return Freezing(self.epochs, self.clock, files)

    def order(self, name: str = "team-a", **changes: object) -> Order:
        """A freeze of a tenant for an hour."""
        order = Order(CLUSTER, Scope.TENANT, name, "incident 7", NOW, NOW + HOUR)
        return msgspec.structs.replace(order, **changes)

    def signed(self, order: Order | None = None, admin: int = 0) -> SignedOrder:
        """It, by one administrator."""
        order = order or self.order()
        return SignedOrder(order, (by_admin(order, admin, self.committee),))

    def body(self, order: Order | None = None) -> bytes:
        """It, as an administrator sends it."""
        return member_api.encode(self.signed(order))

    def release(self, order: Order) -> None:
        """Administrators and members end a freeze."""
        committee = self.committee
        record = committee.next_record(Change.RELEASE, released=(order.order_id,))
        self.epochs.extend(committee.endorse(record, members=5, admins=2))
        committee.open(record)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A member that keeps its freezes."""
    return Place(tmp_path / "freezes")


@pytest.mark.requirement("freeze: one administrator sets it, at a member, without the operator")
async def test_an_order_is_in_force_and_kept(place: Place) -> None:
    """At once, and after a restart; told to whoever asked to be told."""
    told: list[Freezes] = []
    place.freezing.on_changed(told.append)
    order = place.order()
    heard = await place.freezing.put(place.body())
    assert (heard.order_id, heard.kept) == (order.order_id, True)
    assert [len(found.orders) for found in told] == [0, 1]
    again = place.start()
    assert again.freezes == place.freezing.freezes
    assert (await again.put(place.body())).kept
    assert again.after("").orders == (place.signed(),)


async def test_orders_that_are_refused(place: Place) -> None:
    """Signed by nobody who may, for another cluster, over, dated ahead, too long, malformed."""
    order = place.order()
    stranger = Committee()
    cases: list[tuple[SignedOrder, type[Exception]]] = [
        (SignedOrder(order, (by_admin(order, 0, stranger),)), FreezeRefused),
        (SignedOrder(order, (Endorsement("m0", b"x"), Endorsement("m1", b"x"))), FreezeRefused),
        (place.signed(place.order(cluster_id="other")), InvalidInput),
        (place.signed(place.order(issued_at=NOW - HOUR, expires_at=NOW)), FreezeRefused),
        (
            place.signed(place.order(issued_at=NOW + HOUR, expires_at=NOW + 2 * HOUR)),
            FreezeRefused,
        ),
        (place.signed(place.order(expires_at=NOW + 31 * 24 * HOUR)), InvalidInput),
        (place.signed(place.order(name="")), InvalidInput),
    ]
    for signed, error in cases:
        with pytest.raises(error):
            await place.freezing.put(member_api.encode(signed))
    for body in (b"", b"{}", b"[]", b"\xff", b'{"order":1,"order":2}'):
        with pytest.raises(InvalidInput):
            await place.freezing.put(body)
    with pytest.raises(LimitExceeded):
        await place.freezing.put(b" " * (member_api.FREEZE_BYTES + 1))
    assert place.freezing.freezes == Freezes()
    assert list((place.directory or Path()).iterdir()) == []


async def test_only_what_puts_an_order_in_force_is_passed_on(place: Place) -> None:
    """Whatever somebody attached to a good order is left behind; members' signatures all count."""
    order = place.order()
    good = by_admin(order, 0, place.committee)
    junk = tuple(Endorsement(f"stranger-{n}", os.urandom(64)) for n in range(10))
    await place.freezing.put(member_api.encode(SignedOrder(order, (*junk, good, *junk[:5]))))
    (kept,) = place.freezing.after("").orders
    assert kept.endorsements == (good,)
    other = place.order("team-b")
    committee = place.committee
    parties = [
        Endorsement(name, committee.parties[name].identity.sign(_data(other)))
        for name in ("m0", "m1")
    ]
    await place.freezing.put(member_api.encode(SignedOrder(other, (*parties, parties[0], junk[0]))))
    assert set(place.freezing.after("").orders[1].endorsements) == set(parties)


def _data(order: Order) -> bytes:
    return ORDER_TAG + freeze.encode(order)


async def test_one_member_alone_freezes_nothing(place: Place) -> None:
    """r + 1 members do, so that one of them is honest."""
    order = place.order()
    one = Endorsement("m0", place.committee.parties["m0"].identity.sign(_data(order)))
    with pytest.raises(FreezeRefused):
        await place.freezing.put(member_api.encode(SignedOrder(order, (one, one))))


@pytest.mark.requirement("freeze: k administrators release it, by a record")
async def test_a_released_order_is_over_and_stays_over(place: Place) -> None:
    """As the epoch opens, whoever is told of freezes hears; it is forgotten, also on disk; who says
    it again is refused."""
    order = place.order()
    told: list[Freezes] = []
    await place.freezing.put(place.body())
    place.freezing.on_changed(told.append)
    place.release(order)
    assert [len(one.orders) for one in told] == [1, 0]
    await place.freezing.sweep()
    assert place.freezing.after("").orders == ()
    assert list((place.directory or Path()).iterdir()) == []
    with pytest.raises(FreezeRefused, match="released"):
        await place.freezing.put(place.body())
    assert await place.freezing.merge([place.signed()]) == 0


async def test_an_order_ends_by_itself(place: Place) -> None:
    """After its time it makes room, and a restart does not bring it back."""
    await place.freezing.put(place.body())
    place.clock.advance(3600)
    assert place.start().freezes == Freezes()
    await place.freezing.put(
        place.body(place.order("team-b", issued_at=NOW + HOUR, expires_at=NOW + 2 * HOUR))
    )
    assert [one.order.name for one in place.freezing.after("").orders] == ["team-b"]


async def test_a_disk_that_refuses_does_not_unfreeze(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is in force, its sender is told that it is not kept, and it is kept later."""

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert not (await place.freezing.put(place.body())).kept
    assert len(place.freezing.freezes.orders) == 1
    monkeypatch.undo()
    await place.freezing.sweep()
    assert len(place.start().freezes.orders) == 1


async def test_without_a_directory_an_order_ends_with_the_process() -> None:
    """And its sender knows."""
    place = Place(None)
    assert not (await place.freezing.put(place.body())).kept
    await place.freezing.sweep()
    assert place.start().freezes == Freezes()


@pytest.mark.parametrize("content", [b"", b"{}", b"x" * 20_000, None])
async def test_a_file_that_cannot_be_read_starts_nothing(
    place: Place, content: bytes | None
) -> None:
    """Nobody knows what it froze. ``None``: another order than its name says."""
    await place.freezing.put(place.body())
    (path,) = (place.directory or Path()).iterdir()
    if content is None:
        path.rename(path.with_name(f"{'0' * 64}.json"))
    else:
        path.write_bytes(content)
    with pytest.raises(InvalidInput):
        place.start()


async def test_who_signed_a_kept_order_may_have_left(tmp_path: Path) -> None:
    """An order that was in force stays in force: only a release or its time ends it."""
    place = Place(tmp_path / "freezes")
    await place.freezing.put(place.body())
    place.committee.admins = Committee().admins
    keys = tuple(one.public_key.pem for one in place.committee.admins)
    later = msgspec.structs.replace(
        place.committee.epoch.record,
        admins=msgspec.structs.replace(place.committee.epoch.record.admins, keys=keys),
    )
    place.committee.open(later)
    place.epochs = Epochs(place.committee.epoch)
    assert len(place.start().freezes.orders) == 1


async def test_readers_go_by_cursor(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page by page, each order once, as they came; a cursor of another run begins anew."""
    monkeypatch.setattr(member_api, "FREEZES_PAGE", 2)
    names = [f"team-{number}" for number in range(5)]
    for name in names:
        await place.freezing.put(place.body(place.order(name)))
    found, cursor, more = [], "", True
    while more:
        answer = place.freezing.after(cursor)
        cursor, more = answer.cursor, answer.more
        found += [one.order.name for one in answer.orders]
    assert found == names
    assert place.freezing.after(cursor).orders == ()
    for odd in (
        "",
        "x",
        "x.1",
        ".",
        f"{cursor}1",
        cursor.replace(".", ".x"),
        place.start().after("").cursor,
    ):
        assert place.freezing.after(odd).orders[0].order.name == "team-0", odd


@pytest.mark.requirement("freeze: in force in every sidecar within 2 s without the operator")
async def test_who_waits_hears_at_once(place: Place) -> None:
    """A question is kept until there is something new, and no longer than it may be."""
    feeds = [FreezeFeed(fetch_from(place.freezing, 10)) for _ in range(50)]
    assert [await feed.next() for feed in feeds] == [()] * 50
    waiting = [asyncio.create_task(feed.next()) for feed in feeds]
    await asyncio.sleep(0.01)
    begin = time.monotonic()
    await place.freezing.put(place.body())
    for orders in await asyncio.gather(*waiting):
        assert [one.order.name for one in orders] == ["team-a"]
    assert time.monotonic() - begin < 2
    idle = FreezeFeed(fetch_from(place.freezing, 0.01))
    assert len(await idle.next()) == 1
    assert await idle.next() == ()
    place.freezing.close()
    assert await asyncio.wait_for(FreezeFeed(fetch_from(place.freezing, 60)).next(), 5)
    assert await asyncio.wait_for(feeds[0].next(), 5) == ()


def fetch_from(freezing: Freezing, seconds: float):  # type: ignore[no-untyped-def]
    """Asks a member as its route would."""

    async def fetch(query: tuple[tuple[str, str], ...]) -> bytes:
        cursor = dict(query).get(member_api.CURSOR_PARAMETER, "")
        await freezing.changed_after(cursor, seconds)
        return member_api.encode(freezing.after(cursor))

    return fetch


async def test_members_come_to_the_same(tmp_path: Path) -> None:
    """Whoever hears of whom, in whatever order, all know every order that holds."""
    committee = Committee()
    places = [Place(tmp_path / str(number), committee) for number in range(3)]
    for number, place in enumerate(places):
        await place.freezing.put(place.body(place.order(f"team-{number}")))
    bad = SignedOrder(place.order("x"), (by_member(place.order("x"), "m0"),))
    for one in places:
        for other in places:
            told = other.freezing.after("").orders
            await one.freezing.merge([bad, *told, bad])
    known = [set(place.freezing.freezes.orders) for place in places]
    assert known[0] == known[1] == known[2]
    assert len(known[0]) == 3


async def test_a_full_set_refuses_and_makes_room(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is over is forgotten before anything is refused."""
    monkeypatch.setattr("quorate.consensus.freeze.ORDERS_MAX", 2)
    for number in range(2):
        soon = NOW + (number + 1) * SECOND
        await place.freezing.put(place.body(place.order(f"team-{number}", expires_at=soon)))
    with pytest.raises(InvalidInput):
        await place.freezing.put(place.body())
    place.clock.advance(1)
    await place.freezing.put(place.body())
    assert json.loads(member_api.encode(place.freezing.after("")))["more"] is False
