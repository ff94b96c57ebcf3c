"""What a registry asks for when it answers 401.

Source: https://distribution.github.io/distribution/spec/auth/token/
"""

import re
from dataclasses import dataclass

from quorate.canonical import parse_object
from quorate.errors import InvalidInput
from quorate.limits import KIB

HEADER_CHARS = 4 * KIB
TOKEN_ANSWER_BYTES = 64 * KIB
TOKEN_CHARS = 16 * KIB
_PARAMETER = re.compile(r'\s*([A-Za-z]+)="([^"\\]*)"\s*(?:,|$)')


@dataclass(frozen=True, slots=True)
class Challenge:
    """``basic``, or ``bearer`` with where to fetch a token and for what."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


def parse_challenge(header: str) -> Challenge | None:
    """Read a WWW-Authenticate header; None if it asks for nothing that is known here."""
    if len(header) > HEADER_CHARS:
        return None
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() == "basic":
        return Challenge("basic")
    if scheme.lower() != "bearer":
        return None
    parameters: dict[str, str] = {}
    position = 0
    while position < len(rest):
        found = _PARAMETER.match(rest, position)
        if found is None:
            return None
        parameters[found[1].lower()] = found[2]
        position = found.end()
    realm, service = parameters.get("realm", ""), parameters.get("service", "")
    return Challenge("bearer", realm, service, parameters.get("scope", "")) if realm else None


def parse_token(body: bytes) -> str:
    """The token in a token server's answer. Raises InvalidInput."""
    document = parse_object(body, bytes_max=TOKEN_ANSWER_BYTES, what="token answer")
    token = document.get("token") or document.get("access_token")
    if not isinstance(token, str) or not 0 < len(token) <= TOKEN_CHARS:
        raise InvalidInput("holds no token", field="token answer")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidInput("is no token", field="token answer")
    return token
