"""Asking the endpoint: bounded in time, bytes and how many at once."""

import asyncio
import secrets
import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import aiohttp

from quorate.consensus.request import Request
from quorate.consensus.wire import SCORE_MAX, Verdict
from quorate.errors import InvalidInput, LimitExceeded, Unavailable
from quorate_consensus.judges.llm.dialogue import ANSWER_BYTES, answer, question
from quorate_consensus.judges.llm.settings import LlmSettings
from quorate_consensus.judges.opinion import Failure, Identity, Opinion, denied

NAME: Final = "llm"
VERSION: Final = 1
DEADLINE_MS: Final = 800
"""Of a high risk's 1000 ms: a language model is for those. Others name it in no panel."""
ASKED_AT_ONCE: Final = 16
HEADER_BYTES: Final = 16 * 1024
CHALLENGE_BYTES: Final = 12
ITSELF: Final = "JudgesOwnModel"
TOO_LONG: Final = "TooLongToRead"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the model is. ``url`` ends before ``/chat/completions``; ``tls`` holds the member's
    own certificate. The key is shown to nobody."""

    url: str
    key: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    deadline_ms: int = DEADLINE_MS

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise InvalidInput("must be http(s)://HOST/…, without a password", field="endpoint")
        if parts.query or parts.fragment:
            raise InvalidInput("must have neither query nor fragment", field="endpoint")
        if self.key is not None and not (self.key.isascii() and self.key.isprintable()):
            raise InvalidInput("must be one line of ASCII", field="endpoint key")
        if not 1 <= self.deadline_ms <= 10_000:
            raise InvalidInput("must be 1 to 10000", field="endpoint deadline")


class LlmJudge:
    """Use as an async context manager."""

    def __init__(self, settings: LlmSettings, artefact: str, endpoint: Endpoint) -> None:
        self._settings = settings
        self._endpoint = endpoint
        self._url = f"{endpoint.url.rstrip('/')}/chat/completions"
        self._own = {(each.namespace, each.model) for each in settings.judge_models}
        self._asked = 0
        self._session: aiohttp.ClientSession | None = None
        self.identity = Identity(NAME, VERSION, artefact)
        self.deadline_ms = endpoint.deadline_ms

    async def __aenter__(self) -> Self:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self._endpoint.key is not None:
            headers["Authorization"] = f"Bearer {self._endpoint.key}"
        # What the environment says of proxies is not asked: the question goes to one host.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=ASKED_AT_ONCE, ssl=self._endpoint.tls or True),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            auto_decompress=False,
            trust_env=False,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def judge(self, request: Request, left_ms: int) -> Opinion:
        """The model's opinion. Whatever it raises is a DENY, to a panel."""
        if (request.principal.namespace, request.principal.model) in self._own:
            return Opinion(Verdict.DENY, SCORE_MAX, (ITSELF,))
        challenge = secrets.token_hex(CHALLENGE_BYTES)
        try:
            body = question(request, self._settings, challenge)
        except InvalidInput:
            return Opinion(Verdict.DENY, SCORE_MAX, (TOO_LONG,))
        if self._asked >= ASKED_AT_ONCE:
            return denied(Failure.OVERLOADED)
        self._asked += 1
        try:
            async with asyncio.timeout(min(left_ms, self.deadline_ms) / 1_000):
                return answer(await self._post(body), self._settings, challenge)
        except TimeoutError:
            return denied(Failure.LATE)
        finally:
            self._asked -= 1

    async def _post(self, body: dict[str, object]) -> bytes:
        if self._session is None:
            raise Unavailable("the judge is not entered")
        async with self._session.post(self._url, json=body, allow_redirects=False) as response:
            if response.status != 200:
                raise Unavailable(f"the endpoint answers with status {response.status}")
            found = bytearray()
            async for piece in response.content.iter_any():
                found += piece
                if len(found) > ANSWER_BYTES:
                    raise LimitExceeded(f"an answer of more than {ANSWER_BYTES} bytes")
            return bytes(found)
