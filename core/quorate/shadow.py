"""Asking a member under quarantine: a canary, proven by what is good at this member alone. Pure.

A pod's token is good at every member, and a convicted liar would ask in that pod's name. So the
asker shows its receipt, which is no secret, and signs with its session key whom it asks what.
Nobody else takes that signature; it says no more than that this canary was put to this member.
"""

import hashlib
from datetime import datetime
from typing import Annotated, Final

import msgspec

from quorate import limits, receipt, vouched
from quorate.consensus import wire
from quorate.consensus.history import History
from quorate.errors import InvalidInput, LimitExceeded, SubjectMismatch
from quorate.ports import Signer
from quorate.receipt import RECEIPT_BYTES, ReceiptStatement, parse_session_key

TAG: Final = b"quorate.dev/shadow-ask/v1\0"
SHADOW_BYTES: Final = wire.MESSAGE_BYTES + RECEIPT_BYTES + limits.KIB


class ShadowAsk(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An ask to ``member`` alone, with the receipt of the pod that asks and its session key's
    signature."""

    version: Annotated[int, msgspec.Meta(ge=wire.VERSION, le=wire.VERSION)]
    member: wire.Name
    ask: Annotated[bytes, msgspec.Meta(min_length=1, max_length=wire.MESSAGE_BYTES)]
    receipt: Annotated[bytes, msgspec.Meta(min_length=1, max_length=RECEIPT_BYTES)]
    signature: wire.Signature


_decoder = msgspec.msgpack.Decoder(ShadowAsk)


def sign(member: str, ask: bytes, envelope: bytes, session: Signer) -> bytes:
    """The message to ``member``, by the pod whose receipt ``envelope`` is."""
    signature = session.sign(_signed(member, ask))
    return wire.encode(ShadowAsk(wire.VERSION, member, ask, envelope, signature))


def decode(data: bytes) -> ShadowAsk:
    """Read a message. Raises InvalidInput, or LimitExceeded over SHADOW_BYTES."""
    if len(data) > SHADOW_BYTES:
        raise LimitExceeded(f"has {len(data)} bytes; the limit is {SHADOW_BYTES}", field="shadow")
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(str(error)[:200], field="shadow") from None


def verify(message: ShadowAsk, member: str, history: History, now: datetime) -> ReceiptStatement:
    """Which pod asks ``member``: by r + 1 members, of whom one is honest. A receipt of before the
    quarantine may lack the liar's signature of a strict quorum, and nothing is authorised here.

    Raises SubjectMismatch if another one is asked, SignatureError, Expired, InvalidInput as
    :func:`quorate.receipt.read`, or if the receipt's session key did not sign it.
    """
    if message.member != member:
        raise SubjectMismatch(f"the message is to {message.member}")
    statement = receipt.read(message.receipt, history, now, vouched.witnessed).statement
    key = parse_session_key(statement.session_key)
    key.verify(message.signature, _signed(message.member, message.ask))
    return statement


def _signed(member: str, ask: bytes) -> bytes:
    return TAG + hashlib.sha256(ask).digest() + member.encode("utf-8")
