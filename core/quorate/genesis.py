"""Genesis: the record of epoch 0, pinned by digest in every injected pod.

Made once at installation. Whoever knows the digest needs to trust no channel: a genesis document
that hashes to it is the right one, whoever served it.
"""

from typing import Final

from quorate.canonical import digest_of, parse_object
from quorate.consensus import epoch as epochs
from quorate.consensus.epoch import Admins, Change, Epoch, EpochRecord, Seat
from quorate.consensus.thresholds import Thresholds
from quorate.errors import InvalidInput, SubjectMismatch
from quorate.keys import load_public_key
from quorate.statements import convert

GENESIS_BYTES_MAX: Final = 65_536
NO_ADMINS: Final = Admins((), 1)
"""Nobody: then nothing that loosens can ever be certified, and no recovery either."""
NO_POLICIES: Final = digest_of([])
"""Of no ClusterSafetyPolicy: what is in force when the cluster has none yet."""
_REASON: Final = "installation"


def first_epoch(
    cluster_id: str, seats: tuple[Seat, ...], thresholds: Thresholds, admins: Admins = NO_ADMINS
) -> Epoch:
    """Epoch 0 of a new cluster. Raises InvalidInput as :func:`parse_genesis` would."""
    record = EpochRecord(
        cluster_id=cluster_id,
        number=0,
        previous=None,
        change=Change.GENESIS,
        reason=_REASON,
        seats=seats,
        thresholds=thresholds,
        admins=admins,
        policies=NO_POLICIES,
    )
    return _opened(record)


def parse_genesis(data: bytes, expected_digest: str | None = None) -> Epoch:
    """Read a genesis document.

    Raises InvalidInput if it is malformed or no epoch 0, names a member or a key twice, holds a key
    that does not count, or thresholds that do not intersect; SubjectMismatch if
    ``expected_digest`` is given and differs.
    """
    document = parse_object(data, bytes_max=GENESIS_BYTES_MAX, what="genesis")
    genesis = _opened(convert(document, EpochRecord, "genesis"))
    if expected_digest is not None and genesis.digest_text != expected_digest:
        raise SubjectMismatch(
            f"genesis has digest {genesis.digest_text}, not the pinned {expected_digest}",
            fix="the pod was injected for another installation: recreate it",
        )
    return genesis


def encode(genesis: Epoch) -> bytes:
    """The document, as it is kept and served: the canonical form, which is hashed."""
    return epochs.encode(genesis.record)


def _opened(record: EpochRecord) -> Epoch:
    if record.change is not Change.GENESIS:
        raise InvalidInput(f"must be Genesis, not {record.change}", field="genesis.change")
    # Of a later record it is enough that no two keys are one; here all of them must be keys.
    for where, key in (
        *(("seats", seat.key) for seat in record.seats),
        *(("admins", key) for key in record.admins.keys),
    ):
        try:
            load_public_key(key)
        except InvalidInput as error:
            raise InvalidInput(error.message, field=f"genesis.{where}") from None
    if record.evidence is not None or any(seat.quarantined for seat in record.seats):
        raise InvalidInput("nobody can have been found lying yet", field="genesis.seats")
    return epochs.open_epoch(record)
