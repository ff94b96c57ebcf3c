"""Blanks of canaries: requests of nobody yet."""

from functools import lru_cache

import msgspec

from quorate.consensus import blank
from quorate.consensus.blank import SOMEBODY, AskedAs, Blank
from quorate.consensus.request import Band, Message, Risk, Role


@lru_cache(maxsize=512)
def canary_blank(text: str) -> bytes:
    """What a user says, and an answer is asked about."""
    said = Message(Role.USER, text, "", "", ())
    return blank.encode(Blank(1, "", {}, (said,), 0, Risk(400, Band.MEDIUM)))


def somebody(workload: str) -> AskedAs:
    """A pod of this name asks."""
    principal = msgspec.structs.replace(SOMEBODY.principal, workload=workload)
    return msgspec.structs.replace(SOMEBODY, principal=principal)
