"""Epoch records on their way through the members: which is next, and when it is certified. Pure.

One record a number is asked about at a time, and members sign one a number: if two were brought to
them at once, a split vote could leave the chain where it is. What counts, signatures alone say.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic import ValidationError

from quorate.api.v1alpha1.safety_committee import (
    Candidate,
    Phase,
    Proposal,
    ProposalStatus,
    SafetyCommitteeSpec,
)
from quorate.consensus import epoch as epochs
from quorate.consensus import succession
from quorate.consensus.epoch import RECORD_TAG, Change, Epoch, EpochRecord
from quorate.consensus.history import History
from quorate.consensus.keys import KeySignatures
from quorate.consensus.succession import CertifiedRecord, Endorsement
from quorate.errors import InvalidInput, QuorateError
from quorate_io.member_api import EpochDeclined
from quorate_operator.reconcile.committee_replacement import Prepared
from quorate_operator.reconcile.texts import clipped

SIGNATURES: Final = KeySignatures()
REASON_CHARS: Final = 160
Answer = Endorsement | EpochDeclined | str
"""What a member answered when it was asked to sign; a text if that was neither."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A proposal, as far as it can be read; ``problem`` says why not."""

    name: str
    record: EpochRecord | None = None
    digest: str = ""
    admins: tuple[Endorsement, ...] = ()
    evidence: str = ""
    problem: str = ""
    recomputed: bytes = b""
    """Of the operator's own proposal: the evidence itself."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The last word of each member on one record. An endorsement is verified and stays."""

    digest: str = ""
    endorsed: Mapping[str, Endorsement] = field(default_factory=dict)
    declined: Mapping[str, EpochDeclined] = field(default_factory=dict)
    silent: Mapping[str, str] = field(default_factory=dict)


def read_offered(spec: Any) -> tuple[Offered, ...]:
    """The proposals of a spec, in its order. Raises InvalidInput if the spec cannot be read."""
    try:
        found = SafetyCommitteeSpec.model_validate(spec)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(first["msg"], field=f"spec.{where}") from None
    return tuple(map(_offered, found.proposals))


def _offered(proposal: Proposal) -> Offered:
    try:
        record = epochs.parse(proposal.record.encode("utf-8"))
        digest = epochs.open_epoch(record).digest_text
        admins = tuple(
            Endorsement(one.signer, base64.b64decode(one.signature, validate=True))
            for one in proposal.admins
        )
    except (QuorateError, UnicodeError, binascii.Error) as error:
        return Offered(proposal.name, problem=f"cannot be read: {error}")
    return Offered(proposal.name, record, digest, admins, proposal.evidence)


def choose(
    offered: Sequence[Offered],
    head: Epoch,
    candidate: Candidate | None,
    tallies: Mapping[str, Tally],
) -> Offered | None:
    """The proposal whose record members are asked to sign after ``head``, if there is one.

    The operator's own, which is first, goes before others of its number: its evidence convicts in
    the epoch in force only. The one that was taken stays as long as it is proposed, unless so many
    refuse it that it is lost (:func:`is_lost`) and another one is not. A recovery that the
    administrators signed goes before all others. ``tallies``: by digest, of the records that
    members were asked about as this number.
    """
    ready = [one for one in offered if one.record is not None and not hindrance(one, head)]
    for one in ready:
        if one.record is not None and one.record.change is Change.RECOVERY:
            return one
    taken = _taken(ready, head, candidate)
    if taken is not None and not is_lost(taken, head, tallies):
        return taken
    others = (one for one in ready if taken is None or one.digest != taken.digest)
    return next((one for one in others if _has_room(one, head, tallies)), taken)


def _taken(ready: Sequence[Offered], head: Epoch, candidate: Candidate | None) -> Offered | None:
    if candidate is None or candidate.number != head.record.number + 1:
        return None
    return next((one for one in ready if one.digest == candidate.digest), None)


def hindrance(one: Offered, head: Epoch) -> str:
    """Why no member need be asked about it after ``head``; empty if it may follow and is signed by
    whom it needs."""
    if one.record is None:
        return one.problem
    try:
        succession.check(head, one.record)
        succession.check_admins(head, one.record, one.admins, SIGNATURES)
    except QuorateError as error:
        return str(error)
    return ""


def acknowledged(prepared: Prepared, offered: Sequence[Offered], head: Epoch) -> Prepared:
    """``prepared``, and whether the very record is proposed with all signatures of people."""
    done = prepared.record is not None and any(
        one.record == prepared.record and not hindrance(one, head) for one in offered
    )
    return replace(prepared, acknowledged=done)


def is_lost(one: Offered, head: Epoch, tallies: Mapping[str, Tally]) -> bool:
    """Whether so many members refuse this record that they could certify another one.

    Fewer refusals leave it in place: members that signed it, or may have, will sign no other of
    this number, and asking the rest about another one would only split them.
    """
    refused = tallies.get(one.digest, Tally()).declined.keys() & head.counted
    return len(refused) >= head.record.thresholds.strict


def _has_room(one: Offered, head: Epoch, tallies: Mapping[str, Tally]) -> bool:
    """Whether enough members are left that are not known to have signed another record."""
    bound = {n for digest, t in tallies.items() if digest != one.digest for n in t.endorsed}
    own = tallies.get(one.digest, Tally()).endorsed.keys()
    return len((head.counted - bound) | own) >= head.record.thresholds.strict


def noted(head: Epoch, one: Offered, before: Tally, name: str, answer: Answer) -> Tally:
    """``before`` with one more answer. A signature that is not the member's own counts as none."""
    before = _of(one, before)
    if name in before.endorsed or name not in head.counted:
        return before
    declined = {k: v for k, v in before.declined.items() if k != name}
    silent = {k: v for k, v in before.silent.items() if k != name}
    if isinstance(answer, Endorsement) and not _is_signed(head, one, name, answer):
        answer = "it sent a signature that does not verify"
    match answer:
        case Endorsement():
            endorsed = {**before.endorsed, name: answer}
            return replace(before, endorsed=endorsed, declined=declined, silent=silent)
        case EpochDeclined():
            return replace(before, declined={**declined, name: answer}, silent=silent)
        case str():
            return replace(before, declined=declined, silent={**silent, name: answer})


def _of(one: Offered, tally: Tally) -> Tally:
    return tally if tally.digest == one.digest else Tally(one.digest)


def _is_signed(head: Epoch, one: Offered, name: str, endorsement: Endorsement) -> bool:
    seat = head.seat(name)
    if seat is None or one.record is None or endorsement.signer != name:
        return False
    data = RECORD_TAG + epochs.encode(one.record)
    return SIGNATURES.by_identity(seat.key, endorsement.signature, data)


def certified(head: Epoch, one: Offered, tally: Tally) -> CertifiedRecord | None:
    """The record with its signatures, if they are enough."""
    if one.record is None or hindrance(one, head):
        return None
    data = RECORD_TAG + epochs.encode(one.record)
    known = set(head.record.admins.keys)
    admins = {
        signed.signer: signed
        for signed in one.admins
        if signed.signer in known and SIGNATURES.by_identity(signed.signer, signed.signature, data)
    }
    members = _of(one, tally).endorsed
    if succession.required(head, one.record).members == 0:
        members = {}
    found = CertifiedRecord(
        one.record,
        tuple(members[name] for name in sorted(members)),
        tuple(admins[key] for key in sorted(admins)),
    )
    try:
        succession.verify(head, found, SIGNATURES)
    except QuorateError:
        return None
    return found


def statuses(
    offered: Sequence[Offered],
    history: History,
    chosen: Offered | None,
    tally: Tally,
    tail: Sequence[CertifiedRecord],
    before: Sequence[ProposalStatus],
) -> list[ProposalStatus]:
    """How far every proposal is. ``tail``: records of the chain, with who signed them."""
    said = {one.name: one for one in before}
    found = []
    for one in offered:
        kept = said.get(one.name)
        kept = kept if kept is not None and kept.digest == one.digest else None
        if one.record is not None and one.record.number <= history.head.record.number:
            found.append(_decided(one, one.record, history, tail, kept))
        else:
            found.append(_open(one, history.head, chosen, tally, kept))
    return found


def _open(
    one: Offered,
    head: Epoch,
    chosen: Offered | None,
    tally: Tally,
    kept: ProposalStatus | None,
) -> ProposalStatus:
    if one.record is None:
        return ProposalStatus(name=one.name, phase="Declined", message=clipped(one.problem))
    needed = succession.required(head, one.record).members
    if chosen is not None and chosen.name == one.name:
        return _asked(one, head, needed, _of(one, tally))
    why = hindrance(one, head)
    if not why and kept is not None and kept.phase == "Declined":
        # Another one's turn; what members said of this one is still to be read.
        return kept
    phase: Phase = "Declined" if why and not _may_come(one.record, head) else "Waiting"
    ahead = f"{chosen.name} goes before it" if chosen is not None else ""
    return ProposalStatus(
        name=one.name, digest=one.digest, phase=phase, needed=needed, message=clipped(why or ahead)
    )


def _may_come(record: EpochRecord, head: Epoch) -> bool:
    """Whether what is in the way may change: a later number, or signatures that are added."""
    if record.number > head.record.number + 1:
        return True
    try:
        succession.check(head, record)
    except QuorateError:
        return False
    return True


def _decided(
    one: Offered,
    record: EpochRecord,
    history: History,
    tail: Sequence[CertifiedRecord],
    kept: ProposalStatus | None,
) -> ProposalStatus:
    known = {epoch.record.number: epoch.digest_text for epoch in history.recent}
    number = record.number
    is_past = number not in known and kept is not None and kept.phase == "Certified"
    is_certified = known.get(number) == one.digest or is_past
    endorsed, needed = (kept.endorsed, kept.needed) if kept is not None else ([], 0)
    signed = next((c for c in tail if is_certified and c.record == record), None)
    if signed is not None:
        endorsed = [endorsement.signer for endorsement in signed.members]
    which = "it" if is_certified else "another record"
    return ProposalStatus(
        name=one.name,
        digest=one.digest,
        phase="Certified" if is_certified else "Superseded",
        endorsed=endorsed,
        needed=needed,
        message=f"{which} is epoch {number}",
    )


def _asked(one: Offered, head: Epoch, needed: int, tally: Tally) -> ProposalStatus:
    refused = tally.declined.keys() & head.counted
    phase: Phase = "Collecting" if len(head.counted) - len(refused) >= needed else "Declined"
    said = [f"{name}: {no.reason}: {no.message}" for name, no in sorted(tally.declined.items())]
    said += [f"{name}: {why}" for name, why in sorted(tally.silent.items())]
    message = "; ".join(clipped(text, REASON_CHARS) for text in said)
    if phase == "Declined" and tally.endorsed and not is_lost(one, head, {one.digest: tally}):
        message = (
            f"the members are split: repair the others, or recover by administrators; {message}"
        )
    return ProposalStatus(
        name=one.name,
        digest=one.digest,
        phase=phase,
        endorsed=sorted(tally.endorsed),
        needed=needed,
        message=clipped(message),
    )
