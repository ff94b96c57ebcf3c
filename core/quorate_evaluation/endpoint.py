"""One bounded question to an OpenAI-compatible endpoint.

The endpoint is whatever a model owner runs: slow, broken or hostile. Every answer is bounded in
bytes and in time, redirects are not followed (they would carry the key elsewhere, and another
server would answer for the model), and what cannot be read strictly is an error, never an answer.
"""

import asyncio
import ssl
from dataclasses import dataclass, field
from types import TracebackType
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

import aiohttp
import msgspec

from quorate.errors import InvalidInput
from quorate.limits import MIB
from quorate_evaluation.interface import Answer, Case

ANSWER_BYTES: Final = 1 * MIB
"""One whole answer; max_tokens of all suites fit in a hundredth."""
HEADER_BYTES: Final = 16 * 1024
_PATH: Final = "chat/completions"


class NoAnswer(Exception):
    """The endpoint gave no answer that counts. ``again``: trying once more may help."""

    def __init__(self, reason: str, *, again: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to ask. ``url`` ends before ``/chat/completions``; the key is shown to nobody."""

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    timeout_seconds: float = 60.0
    ca: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise InvalidInput("must be http(s)://HOST/…, without a password", field="--endpoint")
        if parts.query or parts.fragment:
            raise InvalidInput("must have neither query nor fragment", field="--endpoint")
        if self.key is not None and not (self.key.isascii() and self.key.isprintable()):
            raise InvalidInput("is no API key: one line of ASCII", field="--api-key-file")


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    choices: Annotated[list[_Choice], msgspec.Meta(min_length=1, max_length=1)]


_DECODER: Final = msgspec.json.Decoder(_Completion)


def read_completion(body: bytes) -> Answer:
    """The answer in a completion's body. Raises NoAnswer."""
    try:
        choice = _DECODER.decode(body).choices[0]
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        raise NoAnswer("the body is no chat completion") from None
    if choice.message.refusal or choice.finish_reason == "content_filter":
        return Answer(choice.message.refusal or choice.message.content or "", refused=True)
    text = choice.message.content
    if text is None or not text.strip():
        raise NoAnswer("the answer is empty")
    return Answer(text)


class Endpoint:
    """A client of one endpoint; use as an async context manager."""

    def __init__(self, settings: Settings, connections: int) -> None:
        self._settings = settings
        self._url = f"{settings.url.rstrip('/')}/{_PATH}"
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        tls: ssl.SSLContext | bool = self._settings.ca or True
        # What the environment says of proxies and .netrc is not asked: the sandbox allows one host.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, ssl=tls),
            timeout=aiohttp.ClientTimeout(total=self._settings.timeout_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
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

    async def ask(self, case: Case, seed: int) -> Answer:
        """Ask one case. Raises NoAnswer, within the settings' time."""
        if self._session is None:
            raise RuntimeError("not entered")
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self._settings.key is not None:
            headers["Authorization"] = f"Bearer {self._settings.key}"
        try:
            async with self._session.post(
                self._url, json=self._body(case, seed), headers=headers, allow_redirects=False
            ) as response:
                _check_status(response.status)
                return read_completion(await _bounded(response.content))
        except TimeoutError:
            seconds = self._settings.timeout_seconds
            raise NoAnswer(f"no answer within {seconds:g} s", again=True) from None
        except (aiohttp.ClientError, asyncio.IncompleteReadError, OSError, ValueError) as error:
            # Only the kind: an error's text may quote what was sent.
            raise NoAnswer(f"the connection failed ({type(error).__name__})", again=True) from None

    def _body(self, case: Case, seed: int) -> dict[str, object]:
        return {
            "model": self._settings.model,
            "messages": [{"role": m.role, "content": m.content} for m in case.messages],
            "max_tokens": case.max_tokens,
            "temperature": 0,
            "seed": seed,
            "stream": False,
        }


def _check_status(status: int) -> None:
    if 300 <= status < 400:
        raise NoAnswer(f"it answers with a redirect ({status}), which is not followed")
    if status != 200:
        raise NoAnswer(f"it answers with status {status}", again=status == 429 or status >= 500)


async def _bounded(stream: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for piece in stream.iter_any():
        body += piece
        if len(body) > ANSWER_BYTES:
            raise NoAnswer(f"the answer is longer than {ANSWER_BYTES} bytes")
    return bytes(body)
