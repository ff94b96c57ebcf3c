"""Freezes: stop at once, for whom it may concern. Setting one waits for nobody; ending one does.

A grow-only set of signed orders and the ids that an epoch record released. Whoever merges two sets
gets the same, in any order, so members pass them on as they meet.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from quorate import limits
from quorate.canonical import canonical, digest_of, parse_object
from quorate.consensus.epoch import Epoch
from quorate.consensus.signing import Signatures
from quorate.consensus.succession import Endorsement
from quorate.errors import InvalidInput, SignatureError
from quorate.statements import Identifier, Instant, check_life, convert

ORDER_BYTES: Final = 64 * limits.KIB
ORDERS_MAX: Final = 1_024
ORDER_LIFE: Final = 30 * 24 * 3600
"""The longest a freeze may hold by itself, in seconds."""
ORDER_TAG: Final = b"quorate.dev/freeze/v1\0"


class Scope(StrEnum):
    """What a freeze covers. ``CLUSTER`` needs no name."""

    CAPABILITY = "capability"
    TENANT = "tenant"
    WORKLOAD = "workload"
    MODEL_VERSION = "modelVersion"
    NAMESPACE = "namespace"
    CLUSTER = "cluster"


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Freeze ``name`` of ``scope`` from ``issued_at`` to ``expires_at``, for a reason."""

    cluster_id: Identifier
    scope: Scope
    name: Annotated[str, msgspec.Meta(max_length=253)]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=1_024)]
    issued_at: Instant
    expires_at: Instant

    @property
    def order_id(self) -> str:
        """``sha256:<hex>``, by which a release names it."""
        return digest_of(msgspec.to_builtins(self))


class SignedOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An order with the signatures that put it in force: one administrator's, or r+1 members'."""

    order: Order
    endorsements: Annotated[tuple[Endorsement, ...], msgspec.Meta(min_length=1, max_length=16)]


@dataclass(frozen=True, slots=True)
class Target:
    """What somebody is about to do: a name for each scope that has names, or all it goes by."""

    names: Mapping[Scope, str | frozenset[str]]

    def is_under(self, order: Order) -> bool:
        """Whether ``order`` covers it. A target without a name for the scope is covered too: what
        does not say whose it is could be anybody's."""
        if order.scope is Scope.CLUSTER:
            return True
        found = self.names.get(order.scope)
        if found is None:
            return True
        return found == order.name if isinstance(found, str) else order.name in found


@dataclass(frozen=True, slots=True)
class Freezes:
    """The orders that are known. Immutable; :func:`add` and :func:`sweep` return another."""

    orders: Mapping[str, SignedOrder] = field(default_factory=dict)

    def covering(self, target: Target, epoch: Epoch, now: datetime) -> Order | None:
        """An order in force over ``target``, or None. A clock that is behind keeps orders longer
        and starts none later: an order counts from when it is heard."""
        released = set(epoch.record.released)
        for order_id, signed in self.orders.items():
            order = signed.order
            if order_id not in released and now < order.expires_at and target.is_under(order):
                return order
        return None


def encode(order: Order) -> bytes:
    """The canonical form that is signed after ``ORDER_TAG``."""
    return canonical(msgspec.to_builtins(order))


def parse(data: bytes) -> SignedOrder:
    """Read a signed order. Raises InvalidInput."""
    document = parse_object(data, bytes_max=ORDER_BYTES, what="freeze")
    return convert(document, SignedOrder, "freeze")


def verify(signed: SignedOrder, epoch: Epoch, signatures: Signatures) -> None:
    """Raise SignatureError unless one administrator or r+1 members signed it, InvalidInput for a
    life that is none or too long, or for another cluster."""
    order = signed.order
    if order.cluster_id != epoch.record.cluster_id:
        raise InvalidInput(f"is for cluster {order.cluster_id}", field="freeze.clusterId")
    if (order.scope is Scope.CLUSTER) == bool(order.name):
        raise InvalidInput("every scope but cluster has a name", field="freeze.name")
    check_life(order, "freeze", ORDER_LIFE)
    data = ORDER_TAG + encode(order)
    members: set[str] = set()
    for endorsement in signed.endorsements:
        seat = epoch.seat(endorsement.signer)
        key = endorsement.signer if seat is None else seat.key
        if seat is None and key not in epoch.record.admins.keys:
            continue
        if not signatures.by_identity(key, endorsement.signature, data):
            continue
        if seat is None:
            return
        if not seat.quarantined:
            members.add(seat.name)
    needed = epoch.record.thresholds.r + 1
    if len(members) < needed:
        raise SignatureError(
            f"freeze is signed by {len(members)} members",
            fix=f"one administrator or {needed} members must sign it",
        )


def add(freezes: Freezes, signed: SignedOrder, epoch: Epoch, signatures: Signatures) -> Freezes:
    """With one more order. Raises as :func:`verify`, and InvalidInput if no more fit: by then
    ORDERS_MAX are in force, and a cluster-wide one says more than another."""
    order_id = signed.order.order_id
    if order_id in freezes.orders:
        return freezes
    verify(signed, epoch, signatures)
    if len(freezes.orders) >= ORDERS_MAX:
        raise InvalidInput(f"{ORDERS_MAX} freezes are in force; release or let some expire")
    return Freezes({**freezes.orders, order_id: signed})


def sweep(freezes: Freezes, epoch: Epoch, now: datetime) -> Freezes:
    """Without what has expired or was released."""
    released = set(epoch.record.released)
    kept = {
        order_id: signed
        for order_id, signed in freezes.orders.items()
        if order_id not in released and now < signed.order.expires_at
    }
    return Freezes(kept)


def merge(
    freezes: Freezes, others: Iterable[SignedOrder], epoch: Epoch, signatures: Signatures
) -> Freezes:
    """With all of ``others`` that verify. The rest is somebody's mistake, or worse: left out."""
    for signed in others:
        try:
            freezes = add(freezes, signed, epoch, signatures)
        except (InvalidInput, SignatureError):
            continue
    return freezes
