"""What happened in a run, as bytes and times, for a checker that knows nothing of the protocol.

Whatever a field says, an observer outside the machines wrote it down: what left a member, what an
enforcement point acted on, what it had asked.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


class Voted(NamedTuple):
    """A vote left ``member`` for ``asker``. ``place`` names the namespace the ask was about, and
    ``wall`` is the latest its own clock has shown, in seconds: what was over once is over."""

    at: float
    member: str
    asker: str
    data: bytes
    place: str
    wall: float


class Began(NamedTuple):
    """An enforcement point began to ask. ``truth``: "safe", "unsafe" or "open"."""

    at: float
    asker: str
    nonce: bytes
    tier: str
    request: bytes
    audience: bytes
    epoch: bytes
    budget: float
    veto: bool
    truth: str
    place: str


class Heard(NamedTuple):
    """An answer reached the asker while it still asked."""

    at: float
    asker: str
    nonce: bytes
    member: str
    data: bytes


class Ended(NamedTuple):
    """An ask ended with a decision and a cause."""

    at: float
    asker: str
    nonce: bytes
    decision: str
    cause: str


class Acted(NamedTuple):
    """An enforcement point did what was asked, because of a certificate."""

    at: float
    asker: str
    nonce: bytes
    certificate: bytes


class Opened(NamedTuple):
    """``who`` follows a record from now on, because of these signatures."""

    at: float
    who: str
    record: bytes
    members: tuple[tuple[str, bytes], ...]
    admins: tuple[tuple[str, bytes], ...]


class Endorsed(NamedTuple):
    """``member`` signed an epoch record."""

    at: float
    member: str
    record: bytes
    signature: bytes


class FreezeKnown(NamedTuple):
    """``who`` knows a freeze of ``place`` ("" is everything) until ``ends`` on its own clock."""

    at: float
    who: str
    order: str
    place: str
    ends: float
    signers: tuple[tuple[str, bytes], ...]
    body: bytes


class Started(NamedTuple):
    """``member`` started, or started again: freezes it knows are named again after this."""

    at: float
    member: str


Fact = Voted | Began | Heard | Ended | Acted | Opened | Endorsed | FreezeKnown | Started


@dataclass(slots=True)
class History:
    """Facts in order, and what the checker is told about the world.

    ``signed(public, signature, data)`` is the world's own word on a signature. ``faulty`` members
    may do anything; of them, those ``unconvictable`` do nothing a quarantine could rest on.
    ``calm``: no message was lost or late and nobody crashed, so that what ought to work must.
    """

    genesis: bytes
    signed: Callable[[bytes | str, bytes, bytes], bool]
    faulty: frozenset[str]
    unconvictable: frozenset[str]
    silent: frozenset[str]
    calm: bool
    must_find: str = ""
    facts: list[Fact] = field(default_factory=list)
