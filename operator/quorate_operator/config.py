"""What the operator is told by its pod: mounted files and a few variables."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from quorate import names
from quorate.admission.injection import InjectionConfig, parse_config
from quorate.canonical import parse_object
from quorate.consensus import spare as spares
from quorate.consensus.epoch import Epoch
from quorate.consensus.spare import Spare
from quorate.errors import InvalidInput
from quorate.genesis import GENESIS_BYTES_MAX, parse_genesis
from quorate.limits import KIB
from quorate_operator.webhook_tls import LEAF_LIFE

DIRECTORY = Path("/etc/quorate")
HEALTH_PORT = 9902
SPARES = "QUORATE_SPARES"
LEAF_LIFE_MIN = 60
_INJECTION_BYTES = 64 * KIB


@dataclass(frozen=True, slots=True)
class Config:
    """Everything ``run`` needs to know."""

    injection: InjectionConfig
    previous: tuple[InjectionConfig, ...]
    """What the release before injected, while its pods still are about."""
    genesis: Epoch
    namespace: str
    """Where the Lease and the webhook's Secrets are."""
    identity: str
    """Names this process in the Lease: one that restarts in its pod finds it still its own."""
    member_url: str
    """Where each member is: ``{member}`` in it stands for a seat's name."""
    token_file: Path
    health_port: int
    leaf_life: timedelta
    cordon: bool
    """Whether nodes that run static pods of enforcing namespaces are cordoned."""
    spares: tuple[Spare, ...] = ()
    """Members without a seat that this installation runs, in the order in which they take one."""


@dataclass(frozen=True, slots=True)
class Files:
    """The mounted files that a Config was read from, to notice that they changed."""

    genesis: Path
    digest: Path
    injection: Path
    previous: Path
    """There only during an upgrade."""

    def contents(self) -> tuple[bytes, ...]:
        """What is in them. Raises InvalidInput if one cannot be read."""
        return (
            _read(self.genesis, GENESIS_BYTES_MAX),
            _read(self.digest, 128),
            _read(self.injection, _INJECTION_BYTES),
            *((_read(self.previous, _INJECTION_BYTES),) if self.previous.exists() else ()),
        )


def directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the mounted configuration is."""
    return Path(environment.get("QUORATE_CONFIG", str(DIRECTORY)))


def files(environment: Mapping[str, str] = os.environ) -> Files:
    """Where the files are: under QUORATE_CONFIG, /etc/quorate by default."""
    root = directory(environment)
    return Files(
        genesis=root / "genesis" / "genesis.json",
        digest=root / "genesis" / "digest",
        injection=root / "injection" / "injection.json",
        previous=root / "injection" / "previous.json",
    )


def load(contents: tuple[bytes, ...], environment: Mapping[str, str] = os.environ) -> Config:
    """Read the configuration. Raises QuorateError naming what is wrong."""
    genesis_bytes, digest_bytes, *injection_files = contents
    digest = digest_bytes.decode("ascii", "replace").strip()
    genesis = parse_genesis(genesis_bytes, digest)
    injection, *previous = (_injection(data, genesis) for data in injection_files)
    token = environment.get("QUORATE_TOKEN_FILE", f"{names.TOKEN_PATH}/token")
    return Config(
        injection=injection,
        previous=tuple(previous),
        genesis=genesis,
        namespace=environment.get("QUORATE_NAMESPACE", names.NAMESPACE),
        identity=environment.get("QUORATE_POD_NAME") or f"{socket.gethostname()}-{os.getpid()}",
        member_url=environment.get("QUORATE_MEMBER_URL", injection.member_url),
        token_file=Path(token),
        health_port=_number(environment, "QUORATE_HEALTH_PORT", HEALTH_PORT, 0, 65_535),
        leaf_life=timedelta(
            seconds=_number(
                environment,
                "QUORATE_LEAF_LIFE_SECONDS",
                int(LEAF_LIFE.total_seconds()),
                LEAF_LIFE_MIN,
                366 * 24 * 3600,
            )
        ),
        cordon=_switch(environment, "QUORATE_CORDON_NODES"),
        spares=_spares(environment),
    )


def _injection(data: bytes, genesis: Epoch) -> InjectionConfig:
    document = parse_object(data, bytes_max=_INJECTION_BYTES, what="injection")
    return parse_config({**document, "genesisDigest": genesis.digest_text})


def _spares(environment: Mapping[str, str]) -> tuple[Spare, ...]:
    text = environment.get(SPARES, "")
    if not text:
        return ()
    document = parse_object(text.encode("utf-8"), bytes_max=GENESIS_BYTES_MAX, what=SPARES)
    return spares.read(document)


def _number(environment: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = environment.get(name, str(default))
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise InvalidInput(f"must be {least} to {most}, not {text[:40]}", field=name)
    return value


def _switch(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name, "false")
    if text not in ("true", "false"):
        raise InvalidInput(f"must be true or false, not {text[:40]}", field=name)
    return text == "true"


def _read(path: Path, bytes_max: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise InvalidInput(
            f"cannot be read: {error.strerror}",
            field=str(path),
            fix="see the install Job: it writes what is mounted here",
        ) from None
    if len(data) > bytes_max:
        raise InvalidInput(f"has more than {bytes_max} bytes", field=str(path))
    return data
