"""One member's HTTPS channel: trust from the pinned genesis on, a token per request.

The token leaves this process only over a connection whose certificate was verified.
"""

import asyncio
import contextlib
import io
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import yarl

from quorate.consensus.history import History
from quorate.errors import InvalidInput, QuorateError, Unavailable
from quorate.ports import Clock
from quorate_io import member_api, member_trust, tls
from quorate_io.member_trust import Followed, Trust
from quorate_io.token_file import TokenFile

WHOLE_BYTES = 16_384
"""Of a body that is written at once: an ordinary ask, and whatever fits one TLS record."""
CONNECTIONS = 32
TIMEOUT_GENESIS = 5.0
"""Seconds for one page of the chain."""
TIMEOUT_CHAIN = 10.0
"""Seconds for all of them. What was followed by then stays known, and the next time goes on there:
a member that dribbles its chain keeps nobody from asking another."""
PAGES_MAX = 1_024
"""Pages followed at once: as many records as a member keeps."""
_RETRY_FIX = "it is asked again; if this lasts, see the member's Pods and NetworkPolicies"


class MemberRefused(Unavailable):
    """The member answered with an error. ``reason`` is one of member_api.Failure, or its own."""

    def __init__(self, status: int, body: member_api.ErrorBody) -> None:
        super().__init__(body.message, field=body.reason, fix=body.fix)
        self.status = status
        self.reason = body.reason


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``answer_bytes`` bounds the answer, ``timeout`` (seconds) the whole of it."""

    method: str
    path: str
    answer_bytes: int
    timeout: float
    body: bytes | None = None
    query: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    """Of the body, if there is one, and of the answer."""


class MemberChannel:
    """The channel to the member at one URL. Not for use by two event loops."""

    def __init__(
        self,
        url: str,
        followed: Followed,
        token_file: Path | None,
        clock: Clock,
        seat: str | None = None,
        *,
        forwarded: bool = False,
    ) -> None:
        """``followed`` is shared by the channels of one client: all members keep one chain.

        With a ``seat`` nobody but the member in it is believed, and shown a token; without a
        ``token_file`` nobody is shown any. ``forwarded``: the URL's host is not the member's name,
        as of a port that is forwarded, and only its authority, which is its own, says who it is.
        """
        if forwarded and seat is None:
            raise InvalidInput("needs a seat to be told by", field="forwarded")
        self._url = member_url(url)
        self._seat = seat
        self._forwarded = forwarded
        self._followed = followed
        self._token = None if token_file is None else TokenFile(token_file)
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._trust: Trust | None = None
        self._bootstrapping = asyncio.Lock()

    @property
    def member(self) -> str | None:
        """Whose channel it is: the seat of the authority that was verified. None before that, and
        while it could be one of several."""
        trust = self._trust
        return trust.members[0] if trust is not None and len(trust.members) == 1 else None

    async def trust(self) -> Trust:
        """The authorities by the newest epoch, fetched and checked. Raises QuorateError."""
        async with self._bootstrapping:
            # Of another epoch: this member may not be one any more.
            trust = self._trust
            if trust is None or trust.history is not self._followed.history:
                trust = await self._bootstrap()
                await self._use(trust)
            return trust

    async def learn(self) -> None:
        """Follow the epochs that the member knows and we do not. Shows no token. Raises as call."""
        known = self._trust
        trust = await self.trust()
        session = self._session
        if known is not trust or session is None:
            return
        try:
            await self._follow(session)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unavailable(error) from error

    async def call(self, request: Request) -> bytes:
        """Send with the token, return the body of a 200.

        Raises MemberRefused for an error the member answered, Unavailable if it did not answer,
        and what :mod:`quorate_io.member_trust` raises.
        """
        try:
            return await self._once(request)
        except aiohttp.ClientConnectorCertificateError:
            # The member has another authority than when we met.
            await self.close()
            return await self._translated(request)
        except aiohttp.ClientConnectorError as error:
            raise self._unavailable(error) from error
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            # A connection kept alive was closed while we wrote. Requests may safely be sent twice.
            return await self._translated(request)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unavailable(error) from error

    async def close(self) -> None:
        """Close the connections and forget whom we trusted. What is known of epochs stays known."""
        async with self._bootstrapping:
            session, self._session, self._trust = self._session, None, None
        if session is not None:
            await session.close()

    async def _translated(self, request: Request) -> bytes:
        try:
            return await self._once(request)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unavailable(error) from error

    async def _once(self, request: Request) -> bytes:
        await self.trust()
        session = self._session
        if session is None:
            raise Unavailable("the channel was closed while it was used", fix=_RETRY_FIX)
        headers = {} if self._token is None else {"Authorization": self._token.shown()}
        async with _exchange(session, self._url, request, headers) as response:
            body = await _read(response, request.answer_bytes)
            if response.status == 200:
                return body
            raise MemberRefused(response.status, _error(response.status, body))

    async def _use(self, trust: Trust) -> None:
        before, self._trust = self._trust, trust
        if before is not None and before.authorities == trust.authorities:
            return
        context = tls.client_context(trust.authorities)
        context.check_hostname = not self._forwarded
        session, self._session = self._session, open_session(context)
        if session is not None:
            await session.close()

    async def _bootstrap(self) -> Trust:
        try:
            async with open_session(tls.unverified_context()) as session:
                answer, history = await self._follow(session)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unavailable(error) from error
        return member_trust.establish(answer, history, self._clock.now(), self._seat)

    async def _follow(
        self, session: aiohttp.ClientSession
    ) -> tuple[member_api.GenesisAnswer, History]:
        """The member's chain, page by page to its end, and its last answer."""
        async with asyncio.timeout(TIMEOUT_CHAIN):
            for _ in range(PAGES_MAX + 1):
                before = self._followed.number
                answer = member_trust.read(await genesis_page(session, self._url, before))
                history = self._followed.follow(answer)
                if history.head.record.number == before:
                    return answer, history
        raise Unavailable(f"the member's chain has more than {PAGES_MAX} pages")

    def _unavailable(self, error: Exception) -> Unavailable:
        what = str(error) or type(error).__name__
        return Unavailable(f"member {self._url.origin()} did not answer: {what}", fix=_RETRY_FIX)


def member_url(text: str) -> yarl.URL:
    """Read https://HOST[:PORT]. Raises InvalidInput for anything else."""
    try:
        url = yarl.URL(text)
        # Nothing but scheme, host and port: no user, path, query or fragment.
        if url.scheme == "https" and url.host and url == url.origin() / "":
            return url
    except ValueError:
        pass
    raise InvalidInput("must be https://HOST[:PORT]", field=text[:200])


async def genesis_page(session: aiohttp.ClientSession, url: yarl.URL, after: int) -> bytes:
    """What is served at ``url`` of the chain after an epoch, unread. No token is shown.

    Raises MemberRefused, Unavailable for too much, and what the session does.
    """
    request = Request(
        "GET",
        member_api.GENESIS_PATH,
        member_api.GENESIS_BYTES,
        TIMEOUT_GENESIS,
        query=((member_api.AFTER_PARAMETER, str(after)),) if after else (),
    )
    async with _exchange(session, url, request, {}) as response:
        body = await _read(response, request.answer_bytes)
        if response.status != 200:
            raise MemberRefused(response.status, _error(response.status, body))
        return body


def open_session(context: ssl.SSLContext) -> aiohttp.ClientSession:
    """Connections to one member. Close it."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context, limit=CONNECTIONS),
        auto_decompress=False,
        headers={"Accept-Encoding": "identity"},
    )


@contextlib.asynccontextmanager
async def _exchange(
    session: aiohttp.ClientSession, url: yarl.URL, request: Request, headers: dict[str, str]
) -> AsyncIterator[aiohttp.ClientResponse]:
    headers = {**headers, "Accept": request.content_type}
    if request.body is not None:
        headers["Content-Type"] = request.content_type
    async with session.request(
        request.method,
        url.with_path(request.path).with_query(request.query or None),
        data=_data(request.body),
        headers=headers,
        allow_redirects=False,  # a redirect would carry the token to wherever it points
        timeout=aiohttp.ClientTimeout(total=request.timeout),
    ) as response:
        yield response


def _data(body: bytes | None) -> bytes | io.BytesIO | None:
    # In pieces: one write of a large body would hold the event loop.
    return body if body is None or len(body) <= WHOLE_BYTES else io.BytesIO(body)


async def _read(response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > bytes_max:
            raise Unavailable(f"the member's answer has more than {bytes_max} bytes")
    return bytes(body)


def _error(status: int, body: bytes) -> member_api.ErrorBody:
    try:
        return member_api.decode(
            body, member_api.ErrorBody, bytes_max=member_api.ANSWER_BYTES, what="error"
        )
    except QuorateError:
        return member_api.ErrorBody(reason=f"HTTP{status}", message="the member gave no reason")
