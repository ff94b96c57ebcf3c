"""The member's key and the genesis that seats it: made once, together, never overwritten.

The key is written first. If the installation stops between the two, the genesis is made of the key
at the next run: it is a function of the key, the cluster, the chart's administrators and this
release's judges. Once it is there, only records of the chain after it change any of them.
"""

import base64
import binascii
import logging
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate.admission.floor import GENESIS_ANNOTATION, GENESIS_SECRET
from quorate.consensus import judge_sets
from quorate.consensus.epoch import Admins, Epoch, Seat, material_of
from quorate.consensus.thresholds import PRESETS
from quorate.errors import InvalidInput, QuorateError
from quorate.genesis import NO_ADMINS, encode, first_epoch, parse_genesis
from quorate.keys import load_signer
from quorate_operator.effects.api_server import ApiServer
from quorate_operator.install.objects import config_map, create_once, find, secret
from quorate_operator.kinds import CONFIG_MAP, NAMESPACE, SECRET
from quorate_operator.webhook_tls import encoded

KEY_SECRET = "quorate-member-key"
KEY_ENTRY = "key.pem"
GENESIS = "quorate-genesis"
MEMBER_NAME = "member-0"
CLUSTER_NAMESPACE = "kube-system"
"""Its UID is the cluster's id: it lives exactly as long as the cluster's objects."""

log = logging.getLogger(__name__)
Document = dict[str, Any]


class Inconsistent(QuorateError):
    """What an earlier installation left does not fit together. A person must decide."""


async def install_member(api: ApiServer, namespace: str, admins: Admins = NO_ADMINS) -> Epoch:
    """Make sure of key and genesis; returns the one that is there.

    ``admins`` are those of a new one. Raises Inconsistent, or what the API server answers."""
    cluster = await api.get(NAMESPACE.path(name=CLUSTER_NAMESPACE))
    cluster_id = str(cluster["metadata"]["uid"])
    known = await find(api, CONFIG_MAP, namespace, GENESIS)
    held = await find(api, SECRET, namespace, KEY_SECRET)
    if known is not None and held is None:
        raise Inconsistent(
            f"ConfigMap {namespace}/{GENESIS} is there, Secret {namespace}/{KEY_SECRET} is not",
            fix=f"restore the Secret from a backup; or delete the ConfigMap, install again, and "
            f"recreate every protected pod: kubectl -n {namespace} delete configmap {GENESIS}",
        )
    if held is None:
        held, created = await create_once(api, SECRET, _new_key(namespace))
        log.info("Secret %s: %s", KEY_SECRET, "created" if created else "found")
    genesis = _genesis(held, cluster_id, admins)
    if known is None:
        known, created = await create_once(api, CONFIG_MAP, _document(namespace, genesis))
        log.info("ConfigMap %s: %s", GENESIS, "created" if created else "found")
    found = check_consistent(known, genesis, namespace)
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


def check_consistent(known: Document, genesis: Epoch, namespace: str) -> Epoch:
    """The genesis in the ConfigMap. Raises Inconsistent unless it is of this key and this cluster.

    ``genesis`` is what this run would make. Others of its administrators or judges are no error:
    what they are now is for the chain to say.
    """
    data = known.get("data") or {}
    try:
        found = parse_genesis(str(data.get("genesis.json", "")).encode("utf-8"))
    except QuorateError as error:
        message = f"ConfigMap {GENESIS} holds no genesis: {error}"
        raise Inconsistent(message, fix=_fix(namespace)) from None
    if found.cluster_id != genesis.cluster_id:
        raise Inconsistent(
            f"ConfigMap {GENESIS} is of cluster {found.cluster_id}, this is {genesis.cluster_id}",
            fix=_fix(namespace),
        )
    if _keys(found) != _keys(genesis) or data.get("digest") != found.digest_text:
        raise Inconsistent(
            f"ConfigMap {GENESIS} names another key than Secret {KEY_SECRET} holds",
            fix=_fix(namespace),
        )
    if found.record.admins != genesis.record.admins:
        log.warning("the administrators of this cluster are not those of the chart's values")
    return found


def _keys(genesis: Epoch) -> list[str]:
    return [material_of(seat.key) for seat in genesis.record.seats]


def _fix(namespace: str) -> str:
    return (
        f"restore both from one backup; or delete both, install again, and recreate every "
        f"protected pod: kubectl -n {namespace} delete configmap/{GENESIS} secret/{KEY_SECRET}"
    )


def _new_key(namespace: str) -> Document:
    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return secret(namespace, KEY_SECRET, {KEY_ENTRY: encoded(pem)}, fixed=True)


def _genesis(held: Document, cluster_id: str, admins: Admins) -> Epoch:
    try:
        pem = base64.b64decode((held.get("data") or {})[KEY_ENTRY], validate=True)
        signer = load_signer(pem)
        if not isinstance(signer.public_key.key, ed25519.Ed25519PublicKey):
            raise InvalidInput("must be an Ed25519 key")
    except (KeyError, binascii.Error, InvalidInput) as error:
        name = held["metadata"]["name"]
        raise Inconsistent(
            f"Secret {name} holds no vote key in {KEY_ENTRY}: {error}",
            fix=_fix(held["metadata"]["namespace"]),
        ) from None
    # It is alone: nobody else fails when its node does.
    seat = Seat(
        name=MEMBER_NAME,
        key=signer.public_key.pem,
        failure_domain=MEMBER_NAME,
        judges=judge_sets.digest_of_set(judge_sets.ALL),
    )
    return first_epoch(cluster_id, (seat,), PRESETS["dev"], admins)


def _document(namespace: str, genesis: Epoch) -> Document:
    data = {"genesis.json": encode(genesis).decode("utf-8"), "digest": genesis.digest_text}
    return config_map(namespace, GENESIS, data, fixed=True)
