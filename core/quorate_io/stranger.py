"""Which identity key somebody holds who has no seat yet: proven by the connection itself.

A spare serves what every member does: the genesis, the chain and its TLS authority, which its
identity key signs. Who answers a handshake under that authority was given its leaf by that key.
"""

import aiohttp

from quorate.canonical import canonical
from quorate.errors import Unavailable
from quorate.genesis import parse_genesis
from quorate.ports import Clock
from quorate_io import member_trust, tls
from quorate_io.member_channel import genesis_page, member_url, open_session


async def identity_key(
    url: str, genesis_digest: str, number: int, clock: Clock, *, forwarded: bool = False
) -> str:
    """The key (PEM) of whoever is at ``url`` and knows a committee by this genesis. ``number``: of
    the newest epoch, after which nothing need be told. ``forwarded``: the URL's host says nothing.

    Raises Unavailable if nobody answers, SubjectMismatch for another genesis, and as
    :func:`quorate_io.member_trust.stranger`.
    """
    place = member_url(url)
    try:
        async with open_session(tls.unverified_context()) as session:
            answer = member_trust.read(await genesis_page(session, place, number))
        parse_genesis(canonical(answer.genesis), genesis_digest)
        authority, key = member_trust.stranger(answer, clock.now())
        context = tls.client_context([authority])
        context.check_hostname = not forwarded
        async with open_session(context) as session:
            await genesis_page(session, place, number)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        what = str(error) or type(error).__name__
        raise Unavailable(f"{place.origin()} did not answer: {what}") from error
    return key.pem
