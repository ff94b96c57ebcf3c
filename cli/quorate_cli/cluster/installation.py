"""What an installation keeps in its namespace for all to read: genesis and injection."""

from typing import Final

from quorate import names
from quorate.admission.injection import InjectionConfig, parse_config
from quorate.api.v1alpha1.safety_committee import OBJECT
from quorate.canonical import parse_object
from quorate.consensus import history as histories
from quorate.consensus.epoch import Epoch
from quorate.consensus.history import History
from quorate.consensus.keys import KeySignatures
from quorate.consensus.succession import parse_certified
from quorate.errors import QuorateError
from quorate.genesis import parse_genesis
from quorate_cli.cluster.kinds import CONFIG_MAP, SAFETY_COMMITTEE
from quorate_cli.cluster.reader import NotInstalled, Reader

GENESIS: Final = "quorate-genesis"
INJECTION: Final = "quorate-injection"
_FIX: Final = "kubectl quorate doctor"
_CHAIN_FIX: Final = "kubectl quorate committee verify asks the members themselves"


def read_genesis(reader: Reader) -> Epoch:
    """The genesis, checked against the digest beside it. Raises NotInstalled if it is not there."""
    data = _data(reader, GENESIS)
    try:
        return parse_genesis(
            str(data.get("genesis.json", "")).encode(), str(data.get("digest", ""))
        )
    except QuorateError as error:
        raise NotInstalled(f"ConfigMap {GENESIS}: {error.message}", fix=_FIX) from None


def read_history(reader: Reader, genesis: Epoch) -> History:
    """The epochs from the genesis to the newest, as far as the SafetyCommittee shows them. What is
    shown proves itself. Raises NotInstalled if it is not whole: a certificate of an epoch that is
    missing would look like a bad one."""
    history = histories.begin(genesis)
    held = reader.get(SAFETY_COMMITTEE, OBJECT, "") or {}
    status = held.get("status") or {}
    try:
        chain = [parse_certified(str(text).encode()) for text in status.get("chain") or ()]
        history = histories.follow(history, chain, KeySignatures())
    except QuorateError as error:
        message = f"SafetyCommittee {OBJECT}: its chain does not follow the genesis: {error}"
        raise NotInstalled(message, fix=_CHAIN_FIX) from None
    newest, known = (status.get("epoch") or {}).get("number") or 0, history.head.record.number
    if newest > known:
        message = f"SafetyCommittee {OBJECT} is in epoch {newest} and shows none after {known}"
        raise NotInstalled(message, fix=_CHAIN_FIX)
    return history


def read_injection(reader: Reader, genesis_digest: str) -> InjectionConfig:
    """What is injected into pods. Raises NotInstalled if it is not there or cannot be used."""
    data = _data(reader, INJECTION)
    try:
        document = parse_object(str(data.get("injection.json", "")).encode(), what="injection")
        return parse_config(document | {"genesisDigest": genesis_digest})
    except QuorateError as error:
        raise NotInstalled(f"ConfigMap {INJECTION}: {error}", fix=_FIX) from None


def read_previous(reader: Reader, genesis_digest: str) -> tuple[InjectionConfig, ...]:
    """What the release before injected, during an upgrade; else empty. Raises as read_injection."""
    text = str(_data(reader, INJECTION).get("previous.json", ""))
    if not text:
        return ()
    try:
        document = parse_object(text.encode(), what="previous injection")
        return (parse_config(document | {"genesisDigest": genesis_digest}),)
    except QuorateError as error:
        raise NotInstalled(f"ConfigMap {INJECTION}: {error}", fix=_FIX) from None


def previous_image(reader: Reader) -> str:
    """The sidecar image of the release before, during an upgrade; empty otherwise.

    Raises NotInstalled if the ConfigMap is not there or cannot be used.
    """
    text = str(_data(reader, INJECTION).get("previous.json", ""))
    if not text:
        return ""
    try:
        return str(parse_object(text.encode(), what="previous injection").get("image", ""))
    except QuorateError as error:
        raise NotInstalled(f"ConfigMap {INJECTION}: {error}", fix=_FIX) from None


def _data(reader: Reader, name: str) -> dict[str, str]:
    found = reader.get(CONFIG_MAP, name, names.NAMESPACE)
    if found is None:
        raise NotInstalled(
            f"there is no ConfigMap {name} in {names.NAMESPACE}: Quorate is not installed",
            fix=_FIX,
        )
    return found.get("data") or {}
