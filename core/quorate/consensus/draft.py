"""A record on its way to count: people sign it one after the other, offline, in a file.

It holds the record before as well, whose digest it names: so whoever signs sees what changes and
who must sign, from the file alone. That the one before is the committee's head, members check.
"""

from typing import Annotated, Final

import msgspec

from quorate.canonical import canonical, parse_object
from quorate.consensus import epoch as epochs
from quorate.consensus import succession
from quorate.consensus.epoch import ADMINS_MAX, RECORD_BYTES, RECORD_TAG, Epoch, EpochRecord
from quorate.consensus.quarantine import EVIDENCE_BYTES, digest_of
from quorate.consensus.signing import Signatures
from quorate.consensus.succession import Endorsement, Requirement
from quorate.errors import InvalidInput, SubjectMismatch
from quorate.ports import Signer
from quorate.statements import convert

DRAFT_BYTES: Final = 3 * RECORD_BYTES + EVIDENCE_BYTES * 4 // 3


class Draft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A record, the one before it, and who of the administrators signed so far."""

    before: EpochRecord
    record: EpochRecord
    admins: Annotated[tuple[Endorsement, ...], msgspec.Meta(max_length=ADMINS_MAX)] = ()
    evidence: Annotated[bytes, msgspec.Meta(max_length=EVIDENCE_BYTES)] = b""
    """What a quarantine or a readmission rests on."""


def begin(head: Epoch, record: EpochRecord, evidence: bytes = b"") -> Draft:
    """Nobody has signed yet. Raises as :func:`check`."""
    draft = Draft(head.record, record, (), evidence)
    check(draft)
    return draft


def check(draft: Draft) -> Epoch:
    """The epoch before. Raises SubjectMismatch or InvalidInput if the record does not follow it, or
    rests on other evidence."""
    head = epochs.open_epoch(draft.before)
    succession.check(head, draft.record)
    if draft.record.evidence != (digest_of(draft.evidence) if draft.evidence else None):
        raise SubjectMismatch("the record rests on other evidence", field="draft.evidence")
    return head


def required(draft: Draft) -> Requirement:
    """Whose signatures make it count."""
    return succession.required(epochs.open_epoch(draft.before), draft.record)


def signers(draft: Draft, signatures: Signatures) -> tuple[str, ...]:
    """Ids of the administrators' keys whose signatures verify; each once, in the record's order."""
    data = _data(draft)
    return tuple(
        epochs.material_of(key)
        for key in draft.before.admins.keys
        if any(
            one.signer == key and signatures.by_identity(key, one.signature, data)
            for one in draft.admins
        )
    )


def sign(draft: Draft, signer: Signer, signatures: Signatures) -> Draft:
    """With the signature of one more administrator, and without those that do not verify.

    Raises as :func:`check`; InvalidInput for a key that is no administrator's or has signed, or for
    a record that needs none of them.
    """
    check(draft)
    if required(draft).admins == 0:
        raise InvalidInput("the members alone decide about it", field="draft")
    key_id = signer.public_key.key_id
    # Spelt as the record spells it: by that text its signature is found.
    known = {epochs.material_of(key): key for key in draft.before.admins.keys}
    if key_id not in known:
        raise InvalidInput(
            f"is no administrator's: {key_id}",
            field="key",
            fix=f"sign with one of: {', '.join(sorted(known)) or 'none is known'}",
        )
    signed = signers(draft, signatures)
    if key_id in signed:
        raise InvalidInput("has signed already", field="key")
    kept = tuple(one for one in draft.admins if epochs.material_of(one.signer) in signed)
    mine = Endorsement(known[key_id], signer.sign(_data(draft)))
    return msgspec.structs.replace(draft, admins=(*kept, mine))


def encode(draft: Draft) -> bytes:
    """As it is kept in a file."""
    return canonical(msgspec.to_builtins(draft))


def parse(data: bytes) -> Draft:
    """Read a draft. Raises InvalidInput, or as :func:`check`; signatures are not verified."""
    document = parse_object(data, bytes_max=DRAFT_BYTES, what="draft")
    draft = convert(document, Draft, "draft")
    check(draft)
    return draft


def _data(draft: Draft) -> bytes:
    return RECORD_TAG + epochs.encode(draft.record)
