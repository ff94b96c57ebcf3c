"""What a committee signed: the statement names the epoch whose members' word it is.

The epoch must be one that the verifier's own history holds, and a signature counts only while
nothing has taken that member's word away since. A later change of members voids nothing: what was
vouched for by those who were members then still counts, as far as they were not found lying.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from quorate.canonical import parse_object
from quorate.consensus.epoch import material_of
from quorate.consensus.history import EpochUnknown, History
from quorate.consensus.thresholds import Thresholds
from quorate.errors import QuorateError, SignatureError, SubjectMismatch
from quorate.evidence import dsse
from quorate.keys import PublicKey, load_public_key
from quorate.statements import convert


class Signed(Protocol):
    """What every such statement says of itself."""

    @property
    def cluster_id(self) -> str:
        """Whose it is."""

    @property
    def epoch(self) -> str:
        """Digest of the epoch in whose name it is signed."""


S = TypeVar("S", bound=Signed)


class NoQuorum(SignatureError):
    """Too few members say one and the same.

    ``said``: how many said what most of them said; ``needed``: how many must; ``different``: how
    many different things were said.
    """

    def __init__(self, message: str, *, said: int, needed: int, different: int) -> None:
        super().__init__(message, field="signatures")
        self.said = said
        self.needed = needed
        self.different = different


Needed = Callable[[Thresholds], int]
"""How many of an epoch's members must sign."""


@dataclass(frozen=True, slots=True)
class Vouched(Generic[S]):
    """A verified statement, the document it was read from, and the ids of the keys that count."""

    statement: S
    document: dict[str, Any]
    voters: frozenset[str]


@dataclass(frozen=True, slots=True)
class Form(Generic[S]):
    """One kind of statement: how it is called, how large it is, and how many must sign it."""

    what: str
    kind: type[S]
    payload_type: str
    bytes_max: int
    needed: Needed


def strict(thresholds: Thresholds) -> int:
    """As many as no two contradicting statements can both have."""
    return thresholds.strict


def witnessed(thresholds: Thresholds) -> int:
    """More than may lie: one of them at least is honest."""
    return thresholds.r + 1


def alone(thresholds: Thresholds) -> int:
    """One member's word, which decides nothing by itself."""
    del thresholds
    return 1


def stands(epoch: str, voters: frozenset[str], needed: Needed, history: History) -> bool:
    """Whether what ``voters`` (ids of keys) of ``epoch`` signed counts by a later history too."""
    try:
        signed_in = history.find(epoch)
    except EpochUnknown:
        return False
    believed = {material_of(key) for key in history.standing(signed_in).values()}
    return len(voters & believed) >= needed(signed_in.record.thresholds)


def verify(envelope: bytes, form: Form[S], history: History) -> Vouched[S]:
    """Verify a DSSE envelope with a statement of ``form``.

    Raises SubjectMismatch for an epoch that ``history`` does not hold or another cluster's
    statement, SignatureError without enough members whose word still stands, InvalidInput if
    malformed. Time and subject are the caller's to compare.
    """
    parsed = _of_type(envelope, form)
    # Read before it is verified: whose signatures count is said in it.
    document = parse_object(parsed.payload, bytes_max=form.bytes_max, what=form.what)
    statement = convert(document, form.kind, form.what)
    epoch = history.find(statement.epoch)
    keys = [load_public_key(key) for key in history.standing(epoch).values()]
    needed = form.needed(epoch.record.thresholds)
    if len(keys) < needed:
        raise SignatureError(
            f"only {len(keys)} members of epoch {epoch.record.number} are still believed; "
            f"{needed} must sign",
            field="signatures",
        )
    verified = dsse.verify(parsed, keys, needed, form.payload_type)
    if statement.cluster_id != epoch.cluster_id:
        raise SubjectMismatch(f"{form.what} is of cluster {statement.cluster_id}")
    return Vouched(statement, document, verified.signers)


def combine(envelopes: Sequence[bytes], form: Form[S], history: History) -> bytes:
    """One envelope with the signatures of all members that signed the same statement.

    An envelope that is malformed, or of nobody, is passed over: it takes away nothing from others.
    Nobody's signature counts twice, whoever sent it. Raises NoQuorum if too few signed the same,
    EpochUnknown if so many name an epoch that ``history`` does not hold that one of them is honest.
    The order of ``envelopes`` changes nothing. Subject and time are the caller's to compare.
    """
    signed: dict[bytes, _Signatures] = {}
    strangers = 0
    for data in sorted(envelopes):
        try:
            envelope = _of_type(data, form)
            found = signed.get(envelope.payload)
            if found is None:
                found = signed[envelope.payload] = _signable(envelope.payload, form, history)
            found.add(envelope)
        except EpochUnknown:
            strangers += 1
        except QuorateError:
            continue
    best = max(signed.values(), key=_Signatures.rank, default=None)
    if best is not None and best.is_enough:
        return best.envelope(form.payload_type)
    if strangers > history.head.record.thresholds.r:
        raise EpochUnknown(f"{strangers} members signed for an epoch that is not known")
    said = len(best.found) if best is not None else 0
    needed = best.needed if best is not None else form.needed(history.head.record.thresholds)
    different = sum(1 for one in signed.values() if one.found)
    raise NoQuorum(
        f"{said} members signed the same {form.what}; {needed} must" + _split(different, form),
        said=said,
        needed=needed,
        different=different,
    )


@dataclass(slots=True)
class _Signatures:
    """Who signed one payload: signatures by the ids of standing members' keys."""

    payload: bytes
    number: int
    """Of its epoch."""
    keys: dict[str, PublicKey]
    needed: int
    found: dict[str, bytes] = field(default_factory=dict)

    @property
    def is_enough(self) -> bool:
        return len(self.found) >= self.needed

    def rank(self) -> tuple[bool, int, int, bytes]:
        """Orders payloads in the same way, however they came."""
        return self.is_enough, len(self.found), self.number, self.payload

    def add(self, envelope: dsse.Envelope) -> None:
        waiting = {key_id: key for key_id, key in self.keys.items() if key_id not in self.found}
        self.found |= dsse.signatures_by(envelope, waiting)

    def envelope(self, payload_type: str) -> bytes:
        signatures = (dsse.Signature(sig, key_id) for key_id, sig in sorted(self.found.items()))
        return dsse.Envelope(payload_type, self.payload, tuple(signatures)).encode()


def _of_type(data: bytes, form: Form[Any]) -> dsse.Envelope:
    envelope = dsse.parse(data, bytes_max=form.bytes_max)
    dsse.check_type(envelope, form.payload_type)
    return envelope


def _signable(payload: bytes, form: Form[S], history: History) -> _Signatures:
    document = parse_object(payload, bytes_max=form.bytes_max, what=form.what)
    epoch = history.find(convert(document, form.kind, form.what).epoch)
    keys = (load_public_key(key) for key in history.standing(epoch).values())
    return _Signatures(
        payload,
        epoch.record.number,
        {key.key_id: key for key in keys},
        form.needed(epoch.record.thresholds),
    )


def _split(different: int, form: Form[Any]) -> str:
    return f"; {different} different {form.what}s were signed" if different > 1 else ""
