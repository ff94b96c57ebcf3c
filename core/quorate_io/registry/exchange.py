"""One GET at a registry: bounded, following few redirects, to nowhere the rules do not allow."""

import logging
from dataclasses import dataclass

import aiohttp
import yarl

from quorate_io.registry.failures import RegistryFailed, Why
from quorate_io.registry.resolver import AddressRefused
from quorate_io.registry.rules import RegistryRules

REDIRECTS_MAX = 3
CONNECT_SECONDS = 5.0
IDLE_SECONDS = 5.0
"""Seconds between two pieces of an answer. The whole is bounded by whoever asks."""
TOTAL_SECONDS = 30.0
_REDIRECTS = (301, 302, 303, 307, 308)
_TIMEOUT = aiohttp.ClientTimeout(
    total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=IDLE_SECONDS
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a registry answered. ``url`` is where: relative links count from there."""

    status: int
    url: yarl.URL
    content_type: str
    challenge: str
    following: yarl.URL | None
    """Where the next page is, if there is one."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """One GET. ``authorization`` goes to ``origin`` only, wherever a redirect may lead."""

    url: yarl.URL
    origin: yarl.URL
    accept: str
    bytes_max: int
    authorization: str = ""


async def get(session: aiohttp.ClientSession, rules: RegistryRules, asked: Asked) -> Answer:
    """Ask, and follow redirects. Raises RegistryFailed."""
    url = asked.url
    for _ in range(REDIRECTS_MAX + 1):
        rules.check(url, asked.origin)
        try:
            answer, url_next = await _once(session, asked, url)
        except AddressRefused as error:
            raise rules.refused(error.host) from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, AddressRefused):
                raise rules.refused(error.os_error.host) from error
            raise _unavailable(url, error) from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _unavailable(url, error) from error
        if answer is not None:
            return answer
        assert url_next is not None  # noqa: S101 - one of the two is there
        url = url_next
    raise RegistryFailed(Why.MALFORMED, f"{asked.origin.host} redirects without end")


async def _once(
    session: aiohttp.ClientSession, asked: Asked, url: yarl.URL
) -> tuple[Answer | None, yarl.URL | None]:
    headers = {"Accept": asked.accept}
    if asked.authorization and url.origin() == asked.origin.origin():
        headers["Authorization"] = asked.authorization
    async with session.get(url, headers=headers, allow_redirects=False, timeout=_TIMEOUT) as got:
        if got.status in _REDIRECTS:
            location = got.headers.get("Location", "")
            return None, url.join(yarl.URL(location, encoded=True))
        body = await _read(got, asked.bytes_max) if got.status == 200 else b""
        following = got.links.get("next")
        link = following.get("url") if following else None
        return Answer(
            status=got.status,
            url=url,
            content_type=got.content_type,
            challenge=got.headers.get("WWW-Authenticate", ""),
            following=yarl.URL(str(link)) if link else None,
            body=body,
        ), None


async def _read(response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    if (response.content_length or 0) > bytes_max:
        raise _too_large(response, bytes_max)
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > bytes_max:
            raise _too_large(response, bytes_max)
    return bytes(body)


def _too_large(response: aiohttp.ClientResponse, bytes_max: int) -> RegistryFailed:
    return RegistryFailed(
        Why.TOO_LARGE, f"{response.url.path} has more than the {bytes_max} bytes that are read"
    )


def _unavailable(url: yarl.URL, error: Exception) -> RegistryFailed:
    # The kind of error only: its text may hold addresses and ports that differ each time, and
    # this one is written into statuses.
    log.info("%s: %s", url.with_query(None), error)
    return RegistryFailed(
        Why.UNAVAILABLE,
        f"{url.host} did not answer: {_what(error)}",
        fix="see whether the registry is up and the operator's Pods may reach it",
    )


def _what(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientSSLError):
        return "its TLS certificate is not trusted; see the chart value evidence.registryCA"
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "no connection"
    return type(error).__name__
