"""The members' keys and the genesis that seats them: made once, together, never overwritten.

The keys are written first, one Secret for each member. If the installation stops in between, the
genesis is made of the keys at the next run: it is a function of them, the cluster, the chart's
committee and administrators, and this release's judges. Once it is there, only records of the chain
after it change any of them.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from quorate import names
from quorate.admission.floor import GENESIS_ANNOTATION, GENESIS_SECRET
from quorate.api.v1alpha1.safety_committee import OBJECT
from quorate.consensus.epoch import Admins, Epoch, material_of
from quorate.errors import QuorateError
from quorate.genesis import NO_ADMINS, encode, first_epoch, parse_genesis
from quorate_operator.effects.api_server import ApiServer
from quorate_operator.install.keys import KEY_ENTRY, Inconsistent, find_keys, make_key
from quorate_operator.install.objects import config_map, create_once, find, secret
from quorate_operator.install.seats import Plan
from quorate_operator.kinds import CONFIG_MAP, NAMESPACE, SAFETY_COMMITTEE, SECRET
from quorate_operator.webhook_tls import encoded

GENESIS = "quorate-genesis"
CLUSTER_NAMESPACE = "kube-system"
"""Its UID is the cluster's id: it lives exactly as long as the cluster's objects."""

log = logging.getLogger(__name__)
Document = dict[str, Any]


async def install_members(
    api: ApiServer, namespace: str, plan: Plan, admins: Admins = NO_ADMINS
) -> Epoch:
    """Make sure of keys and genesis; returns the one that is there.

    ``plan`` and ``admins`` are those of a new one. Raises Inconsistent, or what the API server
    answers.
    """
    cluster = await api.get(NAMESPACE.path(name=CLUSTER_NAMESPACE))
    cluster_id = str(cluster["metadata"]["uid"])
    known = await find(api, CONFIG_MAP, namespace, GENESIS)
    found = _read(known, namespace) if known is not None else None
    members = [member.name for member in plan.members]
    keys = await find_keys(api, namespace, (*members, *plan.spares))
    if found is None:
        plan.begins()
    else:
        check_consistent(found, keys, plan, cluster_id, namespace, await read_seated(api))
    # Spares are in no genesis: a record may give one a seat some day.
    for name in (*members, *plan.spares):
        if name not in keys:
            keys[name] = await make_key(api, namespace, name)
    if found is None:
        seats = tuple(member.seat(keys[member.name]) for member in plan.members)
        genesis = first_epoch(cluster_id, seats, plan.thresholds, admins)
        known, created = await create_once(api, CONFIG_MAP, _document(namespace, genesis))
        log.info("ConfigMap %s: %s", GENESIS, "created" if created else "found")
        found = _read(known, namespace)
        check_consistent(found, keys, plan, cluster_id, namespace, ())
    if found.record.admins != admins:
        log.warning("the administrators of this cluster are not those of the chart's values")
    await _install_floor_parameter(api, namespace, found)
    return found


async def _install_floor_parameter(api: ApiServer, namespace: str, genesis: Epoch) -> None:
    """The digest once more, where the admission floor in the API server can read it."""
    document = secret(namespace, GENESIS_SECRET, {"digest": encoded(genesis.digest_text.encode())})
    document["metadata"]["annotations"] = {GENESIS_ANNOTATION: genesis.digest_text}
    found, created = await create_once(api, SECRET, {**document, "immutable": True})
    log.info("Secret %s: %s", GENESIS_SECRET, "created" if created else "found")
    annotations = found["metadata"].get("annotations") or {}
    if annotations.get(GENESIS_ANNOTATION) != genesis.digest_text:
        raise Inconsistent(
            f"Secret {namespace}/{GENESIS_SECRET} names another genesis than {genesis.digest_text}",
            fix=f"install again after: kubectl -n {namespace} delete secret {GENESIS_SECRET}",
        )


def _read(known: Document, namespace: str) -> Epoch:
    """The genesis in the ConfigMap. Raises Inconsistent if it holds none, or not the one beside
    it."""
    data = known.get("data") or {}
    try:
        found = parse_genesis(str(data.get("genesis.json", "")).encode("utf-8"))
    except QuorateError as error:
        message = f"ConfigMap {GENESIS} holds no genesis: {error}"
        raise Inconsistent(message, fix=_fix(namespace)) from None
    if data.get("digest") != found.digest_text:
        message = f"ConfigMap {GENESIS} names another digest than its genesis has"
        raise Inconsistent(message, fix=_fix(namespace))
    return found


async def read_seated(api: ApiServer) -> tuple[str, ...]:
    """Who has a seat by the records after the genesis, as the operator wrote it into the
    SafetyCommittee; nobody while there are none. It is not proven, and only mistakes are looked
    for with it: a member itself compares its key with its seat."""
    held = await find(api, SAFETY_COMMITTEE, "", OBJECT)
    status = (held or {}).get("status") or {}
    if not (status.get("epoch") or {}).get("number"):
        return ()
    return tuple(str(member["name"]) for member in status.get("members") or ())


def check_consistent(
    found: Epoch,
    keys: Mapping[str, str],
    plan: Plan,
    cluster_id: str,
    namespace: str,
    seated: Sequence[str],
) -> None:
    """Raise Inconsistent unless the genesis is of this cluster, these keys and these members.

    ``seated``: who sits there since, if records followed; keys may be others then. A member of the
    chart that has no seat is no error: records of the chain give seats. One with a seat that the
    chart no longer runs is: the committee would lose its quorum with it.
    """
    if found.cluster_id != cluster_id:
        raise Inconsistent(
            f"ConfigMap {GENESIS} is of cluster {found.cluster_id}, this is {cluster_id}",
            fix=_fix(namespace),
        )
    planned = {member.name for member in plan.members} | set(plan.spares)
    first = {seat.name: seat.key for seat in found.record.seats}
    sitting = set(seated or first)
    if gone := sorted(sitting - planned):
        raise Inconsistent(
            f"{', '.join(gone)} has a seat in this cluster's committee, and the chart does not "
            "run it",
            fix="name every member that has a seat in committee.members, or set committee.preset "
            "as at the first installation: only a record of the chain takes a seat",
        )
    for name in sorted(sitting):
        secret_name = names.member_key(name)
        if name not in keys:
            raise Inconsistent(
                f"{name} has a seat, and Secret {namespace}/{secret_name} is not there",
                fix=_lost(name, secret_name) if seated else _fix(namespace),
            )
        if not seated and material_of(keys[name]) != material_of(first[name]):
            raise Inconsistent(
                f"ConfigMap {GENESIS} names another key for {name} than Secret {secret_name} holds",
                fix=_fix(namespace),
            )
    for name in sorted(planned - sitting):
        log.warning("%s has no seat yet: a record of the chain must give it one", name)


def _lost(member: str, secret_name: str) -> str:
    return (
        "restore the Secret from a backup; or make a key (quorate keygen), put it into "
        f"{secret_name} as {KEY_ENTRY}, and: kubectl quorate committee rotate --member {member} "
        "--new-key …"
    )


def _fix(namespace: str) -> str:
    return (
        f"restore ConfigMap {GENESIS} and the Secrets of all members from one backup; or delete "
        "them, install again, and recreate every protected pod: "
        f"kubectl -n {namespace} delete configmap/{GENESIS} secret/{GENESIS_SECRET}, and "
        f"secret/{names.member_key('MEMBER')} of each MEMBER"
    )


def _document(namespace: str, genesis: Epoch) -> Document:
    data = {"genesis.json": encode(genesis).decode("utf-8"), "digest": genesis.digest_text}
    return config_map(namespace, GENESIS, data, fixed=True)
