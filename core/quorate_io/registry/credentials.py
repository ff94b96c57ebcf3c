"""Registry credentials, as kubernetes.io/dockerconfigjson holds them."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quorate.canonical import parse_object
from quorate.errors import InvalidInput
from quorate.limits import MIB
from quorate_io.registry.rules import HUB

CONFIG_BYTES = 1 * MIB
"""A Secret holds no more."""
_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", HUB)


@dataclass(frozen=True, slots=True)
class Credential:
    """A user and a password. Neither is ever shown."""

    user: str
    password: str = field(repr=False)

    @property
    def header(self) -> str:
        """The value of an Authorization header."""
        pair = f"{self.user}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode('ascii')}"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials by registry (``host`` or ``host:port``)."""

    by_registry: Mapping[str, Credential] = field(default_factory=dict)

    def of(self, registry: str) -> Credential | None:
        """The credential for exactly this registry, if there is one."""
        return self.by_registry.get(registry)


def parse_credentials(data: bytes) -> Credentials:
    """Read a Docker configuration with ``auths``. Raises InvalidInput, showing nothing of it."""
    document = parse_object(data, bytes_max=CONFIG_BYTES, what="docker config")
    auths = document.get("auths")
    if not isinstance(auths, dict):
        raise InvalidInput("must be an object", field="auths")
    return Credentials({_registry(key): _credential(entry) for key, entry in auths.items()})


def _registry(key: str) -> str:
    if key in _HUB_KEYS:
        return HUB
    return key.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _credential(entry: Any) -> Credential:
    if not isinstance(entry, dict):
        raise InvalidInput("must be an object", field="auths[]")
    user, password, auth = (entry.get(name) for name in ("username", "password", "auth"))
    if isinstance(user, str) and isinstance(password, str):
        return Credential(user, password)
    if not isinstance(auth, str):
        raise InvalidInput("must hold auth, or username and password", field="auths[]")
    try:
        text = base64.b64decode(auth, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeError):
        raise InvalidInput("must be base64 of user:password", field="auths[].auth") from None
    user, colon, password = text.partition(":")
    if not colon:
        raise InvalidInput("must be base64 of user:password", field="auths[].auth")
    return Credential(user, password)
