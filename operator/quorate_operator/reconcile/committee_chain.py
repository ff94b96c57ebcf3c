"""The newest records of the chain, kept where members find them that were all away. Pure."""

import json
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from quorate.api.v1alpha1.safety_committee import CHAIN_MAX
from quorate.consensus import epoch as epochs
from quorate.consensus import history as histories
from quorate.consensus import succession
from quorate.consensus.history import History
from quorate.consensus.keys import KeySignatures
from quorate.consensus.succession import CertifiedRecord
from quorate.errors import QuorateError
from quorate.limits import KIB

TAIL_BYTES: Final = 256 * KIB
"""Of all records in the status, which shares an object with proposals; the newest is always there.
"""
SIGNATURES: Final = KeySignatures()
Tail = tuple[CertifiedRecord, ...]


def text_of(certified: CertifiedRecord) -> str:
    """As it stands in the status, and as :func:`read_tail` reads it."""
    return json.dumps(msgspec.to_builtins(certified), separators=(",", ":"), sort_keys=True)


def read_tail(texts: Iterable[str]) -> Tail:
    """What a status holds, unverified; nothing if one of it cannot be read."""
    try:
        return tuple(succession.parse_certified(text.encode("utf-8")) for text in texts)
    except (QuorateError, UnicodeError):
        return ()


def followed(history: History, tail: Tail) -> History:
    """With what ``tail`` proves beyond it; ``history`` itself if that is nothing."""
    try:
        return histories.follow(history, tail, SIGNATURES)
    except QuorateError:
        return history


def is_out_of_reach(history: History, tail: Tail) -> bool:
    """Whether nobody who knows only ``history`` can say what ``tail`` is worth: records between
    them are missing."""
    return bool(tail) and tail[0].record.number > history.head.record.number + 1


def kept_tail(held: Tail, told: Sequence[CertifiedRecord], history: History) -> Tail:
    """The newest records that are part of ``history``, without a gap, ending with its head."""
    if is_out_of_reach(history, held):
        return held
    found = {one.record.number: one for one in (*told, *held)}
    tail: list[CertifiedRecord] = []
    size = 0
    for number in range(history.head.record.number, 0, -1):
        one = found.get(number)
        if one is None or len(tail) == CHAIN_MAX or not _is_part(one, history):
            break
        size += len(text_of(one))
        if tail and size > TAIL_BYTES:
            break
        tail.append(one)
    return tuple(reversed(tail))


def is_whole(tail: Tail, history: History) -> bool:
    """Whether it ends with the epoch in force."""
    number = history.head.record.number
    return number == 0 or (bool(tail) and tail[-1].record.number == number)


def _is_part(one: CertifiedRecord, history: History) -> bool:
    known = {epoch.record.number: epoch for epoch in history.recent}
    before, at = known.get(one.record.number - 1), known.get(one.record.number)
    if before is None or at is None:
        return False
    try:
        if epochs.open_epoch(one.record).digest != at.digest:
            return False
        succession.verify(before, one, SIGNATURES)
    except QuorateError:
        return False
    return True
