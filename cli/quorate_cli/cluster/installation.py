"""What an installation keeps in its namespace for all to read: genesis and injection."""

from typing import Final

from quorate import names
from quorate.admission.injection import InjectionConfig, parse_config
from quorate.canonical import parse_object
from quorate.consensus.epoch import Epoch
from quorate.errors import QuorateError
from quorate.genesis import parse_genesis
from quorate_cli.cluster.kinds import CONFIG_MAP
from quorate_cli.cluster.reader import NotInstalled, Reader

GENESIS: Final = "quorate-genesis"
INJECTION: Final = "quorate-injection"
_FIX: Final = "kubectl quorate doctor"


def read_genesis(reader: Reader) -> Epoch:
    """The genesis, checked against the digest beside it. Raises NotInstalled if it is not there."""
    data = _data(reader, GENESIS)
    try:
        return parse_genesis(
            str(data.get("genesis.json", "")).encode(), str(data.get("digest", ""))
        )
    except QuorateError as error:
        raise NotInstalled(f"ConfigMap {GENESIS}: {error.message}", fix=_FIX) from None


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
