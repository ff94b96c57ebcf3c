"""What a committee signed: the statement names the epoch whose members' word it is.

The epoch must be one that the verifier's own history holds, and a signature counts only while
nothing has taken that member's word away since. A later change of members voids nothing: what was
vouched for by those who were members then still counts, as far as they were not found lying.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from quorate.canonical import parse_object
from quorate.consensus.epoch import material_of
from quorate.consensus.history import EpochUnknown, History
from quorate.consensus.thresholds import Thresholds
from quorate.errors import SignatureError, SubjectMismatch
from quorate.evidence import dsse
from quorate.keys import load_public_key
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
    parsed = dsse.parse(envelope, bytes_max=form.bytes_max)
    dsse.check_type(parsed, form.payload_type)
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
