"""Freezes: set by one administrator or r+1 members, at once; ended by a record or by their time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from quorate.consensus import freeze
from quorate.consensus.epoch import Change
from quorate.consensus.freeze import (
    ORDER_BYTES,
    ORDER_LIFE,
    ORDER_TAG,
    ORDERS_MAX,
    Freezes,
    Order,
    Scope,
    SignedOrder,
    Target,
)
from quorate.consensus.succession import Endorsement
from quorate.errors import InvalidInput, LimitExceeded, SignatureError
from tests.fakes.ballots import CLUSTER, SIGNATURES, Committee, digest, identity

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
C = Committee(quarantined=["m4"])
ORDER = Order(CLUSTER, Scope.TENANT, "team-a", "incident 7", NOW, NOW + HOUR)


def by_admin(order: Order, number: int = 0, committee: Committee = C) -> Endorsement:
    """An administrator's signature."""
    admin = committee.admins[number]
    return Endorsement(admin.public_key.pem, admin.sign(ORDER_TAG + freeze.encode(order)))


def by_member(order: Order, name: str) -> Endorsement:
    """A member's signature."""
    return Endorsement(name, C.parties[name].identity.sign(ORDER_TAG + freeze.encode(order)))


def signed(order: Order, *endorsements: Endorsement) -> SignedOrder:
    """``order`` with these signatures, or one administrator's."""
    return SignedOrder(order, endorsements or (by_admin(order),))


def test_one_administrator_freezes() -> None:
    """Any of them, alone."""
    for number in range(3):
        freeze.verify(signed(ORDER, by_admin(ORDER, number)), C.epoch, SIGNATURES)


@pytest.mark.requirement("freeze: one administrator or r+1 members set it")
def test_members_freeze_together() -> None:
    """Two of different names do (r = 1); one, or one twice, does not."""
    freeze.verify(
        signed(ORDER, by_member(ORDER, "m0"), by_member(ORDER, "m1")), C.epoch, SIGNATURES
    )
    for endorsements in ([by_member(ORDER, "m0")], [by_member(ORDER, "m0")] * 3):
        with pytest.raises(SignatureError, match="signed by 1 members"):
            freeze.verify(signed(ORDER, *endorsements), C.epoch, SIGNATURES)


def test_a_quarantined_member_freezes_nothing() -> None:
    """r liars alone stop nobody's work, and those found lying add nothing."""
    liars = signed(ORDER, by_member(ORDER, "m0"), by_member(ORDER, "m4"))
    with pytest.raises(SignatureError, match="signed by 1 members"):
        freeze.verify(liars, C.epoch, SIGNATURES)


LATER = msgspec.structs.replace(ORDER, expires_at=NOW + 2 * HOUR)
FORGED: list[tuple[str, tuple[Endorsement, ...]]] = [
    ("another order", (by_admin(LATER),)),
    ("a stranger's key", (by_admin(ORDER, 0, Committee()),)),
    ("a key that is none", (Endorsement("admin", b"signature"),)),
    ("nothing", (Endorsement(C.admins[0].public_key.pem, b""),)),
    (
        "two members, one for another",
        (by_member(ORDER, "m0"), Endorsement("m1", by_member(ORDER, "m0").signature)),
    ),
    ("a stranger named like none", (Endorsement("m9", by_member(ORDER, "m0").signature),)),
]


@pytest.mark.parametrize(("what", "endorsements"), FORGED, ids=[row[0] for row in FORGED])
def test_forged_orders_are_refused(what: str, endorsements: tuple[Endorsement, ...]) -> None:
    """Signatures of something or somebody else count for nothing."""
    with pytest.raises(SignatureError):
        freeze.verify(signed(ORDER, *endorsements), C.epoch, SIGNATURES)


MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"cluster_id": "cluster-2"}, "clusterId"),
    ({"scope": Scope.CLUSTER}, "freeze.name"),
    ({"name": ""}, "freeze.name"),
    ({"expires_at": NOW}, "expiresAt"),
    ({"expires_at": NOW - HOUR}, "expiresAt"),
    ({"expires_at": NOW + timedelta(seconds=ORDER_LIFE + 1)}, "expiresAt"),
]


@pytest.mark.parametrize(("changes", "field"), MALFORMED, ids=lambda x: str(x)[:30])
def test_malformed_orders_are_refused(changes: dict[str, Any], field: str) -> None:
    """Another cluster's, without the name its scope needs, or without a bounded life: refused
    although an administrator signed it."""
    order = msgspec.structs.replace(ORDER, **changes)
    with pytest.raises(InvalidInput, match=field):
        freeze.verify(signed(order), C.epoch, SIGNATURES)


NAMED = Target({Scope.TENANT: "team-a", Scope.CAPABILITY: "shell", Scope.MODEL_VERSION: "v1"})
COVERED: list[tuple[Scope, str, bool]] = [
    (Scope.CLUSTER, "", True),
    (Scope.TENANT, "team-a", True),
    (Scope.TENANT, "team-b", False),
    (Scope.TENANT, "TEAM-A", False),
    (Scope.CAPABILITY, "shell", True),
    (Scope.CAPABILITY, "team-a", False),
    (Scope.MODEL_VERSION, "v2", False),
    (Scope.WORKLOAD, "anything", True),
    (Scope.NAMESPACE, "team-a", True),
]


@pytest.mark.parametrize(("scope", "name", "covered"), COVERED)
def test_a_freeze_covers_its_scope(scope: Scope, name: str, covered: bool) -> None:
    """Names match exactly and within their scope; a target without a name is covered."""
    order = msgspec.structs.replace(ORDER, scope=scope, name=name)
    known = freeze.add(Freezes(), signed(order), C.epoch, SIGNATURES)
    assert (known.covering(NAMED, C.epoch, NOW) == order) == covered


def test_it_holds_until_its_time_whatever_the_clock_says_of_its_beginning() -> None:
    """A member whose clock is behind obeys at once; at the end it no longer counts."""
    known = freeze.add(Freezes(), signed(ORDER), C.epoch, SIGNATURES)
    for when, holds in ((NOW - 5 * HOUR, True), (NOW, True), (NOW + HOUR, False)):
        assert (known.covering(NAMED, C.epoch, when) is not None) == holds
    assert freeze.sweep(known, C.epoch, NOW).orders == known.orders
    assert not freeze.sweep(known, C.epoch, NOW + HOUR).orders


@pytest.mark.requirement("freeze: only an epoch record ends one before its time")
def test_a_release_in_the_epoch_ends_it() -> None:
    """By its id; another freeze holds on."""
    committee = Committee()
    other = msgspec.structs.replace(ORDER, name="team-b")
    known = Freezes()
    for order in (ORDER, other):
        known = freeze.add(
            known, signed(order, by_admin(order, 0, committee)), committee.epoch, SIGNATURES
        )
    committee.open(committee.next_record(Change.RELEASE, released=(ORDER.order_id,)))
    assert known.covering(NAMED, committee.epoch, NOW) is None
    assert known.covering(Target({Scope.TENANT: "team-b"}), committee.epoch, NOW) == other
    assert set(freeze.sweep(known, committee.epoch, NOW).orders) == {other.order_id}


def test_an_order_has_an_id_of_everything_it_says() -> None:
    """Two that differ anywhere are released apart; the same has the same."""
    changes: list[dict[str, Any]] = [
        {"scope": Scope.NAMESPACE},
        {"name": "team-b"},
        {"reason": "another"},
        {"issued_at": NOW - HOUR},
        {"expires_at": NOW + 2 * HOUR},
        {"cluster_id": "cluster-2"},
    ]
    ids = {msgspec.structs.replace(ORDER, **change).order_id for change in changes}
    assert len(ids | {ORDER.order_id}) == len(changes) + 1
    assert msgspec.structs.replace(ORDER).order_id == ORDER.order_id


def test_the_set_is_bounded_and_says_so() -> None:
    """ORDERS_MAX fit; one that is known already adds nothing; after a sweep there is room."""
    orders = {digest(f"{n:x}"[-1]) + str(n): signed(ORDER) for n in range(ORDERS_MAX)}
    full = Freezes(orders)
    with pytest.raises(InvalidInput, match="1024 freezes"):
        freeze.add(full, signed(ORDER), C.epoch, SIGNATURES)
    known = freeze.add(Freezes(), signed(ORDER), C.epoch, SIGNATURES)
    assert freeze.add(known, signed(ORDER), C.epoch, SIGNATURES) == known
    assert freeze.add(freeze.sweep(full, C.epoch, NOW + HOUR), signed(ORDER), C.epoch, SIGNATURES)


def test_sets_merge_to_the_same_in_any_order() -> None:
    """What does not verify is left out and stops nothing."""
    genuine = [signed(msgspec.structs.replace(ORDER, name=f"team-{n}")) for n in range(4)]
    forged = signed(msgspec.structs.replace(ORDER, name="team-x"), Endorsement("m9", b"s"))
    merged = {
        frozenset(freeze.merge(Freezes(), order, C.epoch, SIGNATURES).orders)
        for order in (
            [*genuine, forged],
            [forged, *genuine[::-1]],
            [*genuine, *genuine, forged],
        )
    }
    assert merged == {frozenset(one.order.order_id for one in genuine)}


def test_orders_travel_as_json() -> None:
    """What is written is read again; anything else is refused."""
    data = msgspec.json.encode(signed(ORDER))
    assert freeze.parse(data) == signed(ORDER)
    bad = [
        b"",
        b"[]",
        data[:-1],
        data.replace(b'"tenant"', b'"galaxy"'),
        data.replace(b'"reason"', b'"raeson"'),
        data.replace(b"Z", b"", 1),
        msgspec.json.encode({"order": msgspec.to_builtins(ORDER), "endorsements": []}),
    ]
    for one in bad:
        with pytest.raises(InvalidInput):
            freeze.parse(one)
    with pytest.raises(LimitExceeded):
        freeze.parse(b" " * (ORDER_BYTES + 1))


def test_a_stranger_cannot_freeze_with_many_signatures() -> None:
    """Sixteen of nobody's are none."""
    keys = [identity() for _ in range(16)]
    data = ORDER_TAG + freeze.encode(ORDER)
    crowd = signed(ORDER, *(Endorsement(key.public_key.pem, key.sign(data)) for key in keys))
    with pytest.raises(SignatureError, match="signed by 0 members"):
        freeze.verify(crowd, C.epoch, SIGNATURES)
