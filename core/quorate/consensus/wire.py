"""The messages of a decision: what an enforcement point asks, what a member answers.

MessagePack arrays with the version first, decoded strictly after a bound on their size. What is
signed is always the bytes as they were sent: nothing is encoded again before it is verified.
"""

import hashlib
from enum import IntEnum
from typing import Annotated, Final, TypeVar

import msgspec

from quorate import limits
from quorate.consensus.thresholds import MEMBERS_MAX, Tier
from quorate.errors import InvalidInput, LimitExceeded

VERSION: Final = 1
REQUEST_BYTES: Final = 64 * limits.KIB
"""What is judged: the action, its arguments, and as much of the conversation as that takes."""
MESSAGE_BYTES: Final = REQUEST_BYTES + 4 * limits.KIB
NONCE_BYTES: Final = 16
DIGEST_BYTES: Final = 32
SIGNATURE_BYTES: Final = 512
REASONS_MAX: Final = 8
LEFT_MS_MAX: Final = 10_000
LEFT_MS_MIN: Final = 30
"""What network, disk and signatures take at least. An ask with less left is not sent; a member does
not judge it, for a denial for want of time would stay."""
SCORE_MAX: Final = 1_000

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=63)]
Digest = Annotated[bytes, msgspec.Meta(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]
Nonce = Annotated[bytes, msgspec.Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
Signature = Annotated[bytes, msgspec.Meta(min_length=1, max_length=SIGNATURE_BYTES)]
Counter = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
_Version = Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)]
REASON_CHARS: Final = 64
JUDGE_LATE: Final = "JudgeLate"
JUDGE_FAILED: Final = "JudgeFailed"
"""The one reason of a denial that is no verdict: the judges were not done in time, or failed."""
_Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_CHARS, pattern=r"^[ -~]*\Z")]
"""Printable ASCII: as many bytes as characters, and safe to log."""

M = TypeVar("M", bound=msgspec.Struct)


class Verdict(IntEnum):
    """What a member says of a request. Saying nothing is an :class:`Abstention`."""

    DENY = 0
    APPROVE = 1


class Ask(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What is broadcast. ``audience`` is whom an approval is for: the digest of the enforcement
    point's session key. ``left_ms`` is how long the asker will still wait: no clock is shared."""

    version: _Version
    tier: Tier
    epoch: Digest
    nonce: Nonce
    audience: Digest
    left_ms: Annotated[int, msgspec.Meta(ge=0, le=LEFT_MS_MAX)]
    request: Annotated[bytes, msgspec.Meta(min_length=1, max_length=REQUEST_BYTES)]


class Ballot(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a member signs. ``sequence`` counts its ballots; ``previous`` is the digest of the one
    before, so that a member that tells two stories signs the proof of it."""

    version: _Version
    member: Name
    incarnation: Counter
    sequence: Counter
    previous: Digest
    request: Digest
    tier: Tier
    epoch: Digest
    nonce: Nonce
    audience: Digest
    verdict: Verdict
    hard: bool
    """Of a DENY: it rests on a rule, not on a score. It turns a strict approval into a hold."""
    score: Annotated[int, msgspec.Meta(ge=0, le=SCORE_MAX)]
    """How dangerous the request looked, in thousandths."""
    reasons: Annotated[tuple[_Reason, ...], msgspec.Meta(max_length=REASONS_MAX)]
    judges: Digest
    """Of the judges that said so: names and versions."""


class Delegation(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A member's identity key says which vote key speaks for it, from when it started.

    The vote key lives in memory only. A member that starts again has a higher ``incarnation`` and
    another key, so what was lost with the first can never be said twice by the second.
    """

    version: _Version
    member: Name
    incarnation: Counter
    vote_key: Digest
    """An Ed25519 public key, raw."""
    epoch: Digest
    """Counts in this epoch only, which bounds its life without a clock."""


class Signed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The bytes of a message and a signature of them."""

    body: Annotated[bytes, msgspec.Meta(min_length=1, max_length=2_048)]
    signature: Signature


class Vote(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="vote"):
    """A signed ballot, with the delegation of the key that signed it."""

    ballot: Signed
    delegation: Signed


class Abstention(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="abstention"
):
    """No vote, and why. Not signed: it authorises nothing, and shedding load must stay cheap."""

    version: _Version
    reason: _Reason


Answer = Vote | Abstention
"""What comes back from a member."""


class Certificate(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Votes of at least as many members as the tier needs: an approval that anyone can verify."""

    version: _Version
    votes: Annotated[tuple[Vote, ...], msgspec.Meta(min_length=1, max_length=MEMBERS_MAX)]


_encoder = msgspec.msgpack.Encoder()
_decoders: dict[type, msgspec.msgpack.Decoder[msgspec.Struct]] = {
    kind: msgspec.msgpack.Decoder(kind) for kind in (Ask, Ballot, Delegation, Vote, Certificate)
}
_answers: msgspec.msgpack.Decoder[Vote | Abstention] = msgspec.msgpack.Decoder(Answer)
ANSWER_BYTES: Final = 4 * limits.KIB


def encode(message: msgspec.Struct) -> bytes:
    """The message as it is sent and signed."""
    return _encoder.encode(message)


def decode(data: bytes, kind: type[M], *, bytes_max: int = MESSAGE_BYTES) -> M:
    """Read one message. Raises LimitExceeded over ``bytes_max``, InvalidInput for anything that is
    not exactly such a message of this version."""
    what = kind.__name__.lower()
    if len(data) > bytes_max:
        raise LimitExceeded(f"has {len(data)} bytes; the limit is {bytes_max}", field=what)
    try:
        message = _decoders[kind].decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(str(error)[:200], field=what) from None
    assert isinstance(message, kind)  # noqa: S101 - the table maps each kind to its decoder
    return message


def decode_answer(data: bytes) -> Vote | Abstention:
    """Read what a member answered. Raises as :func:`decode`."""
    if len(data) > ANSWER_BYTES:
        raise LimitExceeded(f"has {len(data)} bytes; the limit is {ANSWER_BYTES}", field="answer")
    try:
        return _answers.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(str(error)[:200], field="answer") from None


def check_reason(reason: str) -> None:
    """Raise InvalidInput unless ``reason`` may stand in a ballot or an abstention."""
    try:
        msgspec.convert(reason, _Reason)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error)[:200], field="reason") from None


def request_digest(request: bytes) -> bytes:
    """What stands for the request in votes. The tag keeps it apart from any other digest."""
    return hashlib.sha256(b"quorate.dev/request/v1\0" + request).digest()


def ballot_digest(body: bytes) -> bytes:
    """What the next ballot names as its ``previous``."""
    return hashlib.sha256(b"quorate.dev/ballot/v1\0" + body).digest()
