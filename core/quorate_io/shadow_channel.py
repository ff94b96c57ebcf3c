"""Asking a member under quarantine: over a channel that nobody verified, and without a token.

Its key is not believed any more, so neither is a channel that it signed for. Nothing that is sent
is good anywhere else, and the answer is a signed vote that counts for nothing, or nothing.
"""

from typing import Final

import aiohttp

from quorate.consensus import wire
from quorate.errors import Unavailable
from quorate_io import member_api, tls
from quorate_io.member_channel import member_url

TIMEOUT: Final = 5.0
"""Seconds for all of it."""


async def exchange(url: str, message: bytes) -> bytes:
    """The answer of whoever serves at ``url``, unverified. Raises Unavailable."""
    connector = aiohttp.TCPConnector(ssl=tls.unverified_context())
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,
                headers={"Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=TIMEOUT),
            ) as session,
            session.post(
                member_url(url).with_path(member_api.SHADOW_PATH),
                data=message,
                headers={"Content-Type": member_api.ASKS_TYPE},
                allow_redirects=False,
            ) as answer,
        ):
            if answer.status != 200:
                raise Unavailable(f"it answered {answer.status}")
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > wire.ANSWER_BYTES:
                    raise Unavailable("its answer is too large")
            return bytes(body)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unavailable(f"it cannot be asked: {error}") from error
