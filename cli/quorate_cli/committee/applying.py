"""Bringing a proposal to the members: their signatures, then the certified record to all."""

from dataclasses import dataclass, field
from typing import Any, Final

from quorate.consensus import draft as drafts
from quorate.consensus import succession
from quorate.consensus.draft import Draft
from quorate.consensus.epoch import RECORD_TAG, Epoch, open_epoch
from quorate.consensus.epoch import encode as encode_record
from quorate.consensus.keys import KeySignatures
from quorate.consensus.succession import CertifiedRecord, Endorsement
from quorate.errors import InvalidInput, QuorateError, SignatureError, SubjectMismatch
from quorate_cli import exit_codes
from quorate_cli.command import Result
from quorate_cli.committee.survey import Members, Survey
from quorate_cli.layout import mark
from quorate_io import member_api
from quorate_io.member_api import EpochsRequest, EpochTaken, Proposal, ProposeAnswer
from quorate_io.member_channel import Request

TIMEOUT: Final = 30.0
"""A member may have to recompute a run of canaries."""
SIGNATURES = KeySignatures()


@dataclass
class _Said:
    """What members said: signatures, and why there is none."""

    signed: dict[str, Endorsement] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)


async def apply(draft: Draft, members: Members, *, may_propose: bool) -> Result:
    """Have the record certified and opened by the members that answer.

    ``may_propose``: the members are shown the operator's token. Raises SubjectMismatch if it does
    not follow their newest epoch, SignatureError if too few people signed it.
    """
    survey = await members.survey()
    digest = open_epoch(draft.record).digest_text
    if survey.head.digest_text != digest and draft.record.previous != survey.head.digest_text:
        if any(epoch.digest_text == digest for epoch in survey.history.recent):
            number = draft.record.number
            raise InvalidInput(f"is epoch {number} already, and not the last", field="proposal")
        raise SubjectMismatch(
            f"the proposal follows {draft.record.previous}, and the newest epoch is "
            f"{survey.head.record.number}, {survey.head.digest_text}",
            fix="make it again from the newest epoch, and have it signed again",
        )
    if survey.head.digest_text == digest:
        return await _shown(members, survey, survey.chain.records[-1], _Said())
    by, need = drafts.signers(draft, SIGNATURES), drafts.required(draft)
    if len(by) < need.admins:
        raise SignatureError(
            f"{len(by)} of {need.admins} administrators signed it",
            fix="have the others sign: quorate committee sign",
        )
    said = _Said()
    if need.members:
        if (need.admins == 0 or draft.evidence) and not may_propose:
            raise InvalidInput(
                "must be given: members take evidence, and what no administrator signs, from the "
                "operator only",
                field="--token-file",
                fix="leave it to the operator: quorate committee propose",
            )
        await _endorse(draft, members, survey, said)
        if len(said.signed) < need.members:
            return _not_certified(draft, said, need.members)
    certified = CertifiedRecord(draft.record, tuple(said.signed.values()), draft.admins)
    succession.verify(survey.head, certified, SIGNATURES)
    return await _shown(members, survey, certified, said)


async def _endorse(draft: Draft, members: Members, survey: Survey, said: _Said) -> None:
    """Ask all members that answered to sign."""
    proposal = Proposal(record=draft.record, admins=draft.admins, evidence=draft.evidence)
    request = _request(EpochsRequest(propose=proposal))
    said.problems = {one.name: one.problem for one in survey.heard if not one.answers}
    for name, answer in (await members.call_all(survey.answering, request)).items():
        try:
            endorsement = _endorsement(answer)
            _check(endorsement, name, draft, survey.head)
            said.signed[name] = endorsement
        except QuorateError as error:
            said.problems[name] = error.message + (f" ({error.fix})" if error.fix else "")


def _endorsement(answer: bytes | QuorateError) -> Endorsement:
    """A member's signature. Raises QuorateError with why it gave none."""
    if isinstance(answer, QuorateError):
        raise answer
    found = member_api.decode(
        answer, ProposeAnswer, bytes_max=member_api.ANSWER_BYTES, what="epochs answer"
    )
    if found.declined is not None:
        why = found.declined
        raise SignatureError(f"declined: {why.reason}: {why.message}", fix=why.fix)
    if found.endorsement is None:
        raise InvalidInput("neither signed nor declined", field="epochs answer")
    return found.endorsement


def _check(endorsement: Endorsement, name: str, draft: Draft, head: Epoch) -> None:
    """Raise unless it is this member's signature, and counts."""
    seat = head.seat(name)
    if seat is None or seat.quarantined or endorsement.signer != name:
        raise SubjectMismatch("has no say in this epoch")
    data = RECORD_TAG + encode_record(draft.record)
    if not SIGNATURES.by_identity(seat.key, endorsement.signature, data):
        raise SignatureError("its signature does not verify")


async def _shown(
    members: Members, survey: Survey, certified: CertifiedRecord, said: _Said
) -> Result:
    """Show the certified record to all that answered."""
    answers = await members.call_all(survey.answering, _request(EpochsRequest(certified=certified)))
    number = certified.record.number
    problems = {one.name: one.problem for one in survey.heard if not one.answers}
    for name, answer in answers.items():
        try:
            if isinstance(answer, QuorateError):
                raise answer
            taken = member_api.decode(
                answer, EpochTaken, bytes_max=member_api.ANSWER_BYTES, what="epochs answer"
            )
            if taken.number < number:
                raise InvalidInput(f"is at epoch {taken.number} still", field="epochs answer")
            said.taken.append(name)
        except QuorateError as error:
            problems[name] = error.message
    # One of r + 1 is honest, and tells it to whoever asks.
    enough = len(said.taken) > survey.head.record.thresholds.r
    lines = [
        f"epoch {number} is certified: {certified.record.change}: {certified.record.reason}",
        *(f"  {mark(True)} {name} opened it" for name in said.taken),
        *(f"  {mark(False)} {name}: {why}" for name, why in sorted(problems.items())),
    ]
    lines += ["declined before:"] * bool(said.problems.keys() - problems.keys())
    lines += [f"  {n}: {why}" for n, why in sorted(said.problems.items()) if n not in problems]
    code = exit_codes.OK if enough else exit_codes.UNREACHABLE
    document = {
        "certified": True,
        "number": number,
        "digest": open_epoch(certified.record).digest_text,
        "signed": sorted(said.signed),
        "opened": said.taken,
        "problems": problems,
        "declined": said.problems,
    }
    return Result(lines, document, code)


def _not_certified(draft: Draft, said: _Said, needed: int) -> Result:
    number = draft.record.number
    lines = [
        f"epoch {number} is NOT certified: {len(said.signed)} of {needed} members signed",
        *(f"  {mark(True)} {name} signed" for name in sorted(said.signed)),
        *(f"  {mark(False)} {name}: {why}" for name, why in sorted(said.problems.items())),
        "Who signed will sign no other record with this number: apply this one again, or recover.",
    ]
    document: dict[str, Any] = {
        "certified": False,
        "number": number,
        "signed": sorted(said.signed),
        "opened": [],
        "declined": said.problems,
    }
    return Result(lines, document, exit_codes.DENIED)


def _request(body: EpochsRequest) -> Request:
    return Request(
        "POST",
        member_api.EPOCHS_PATH,
        member_api.ANSWER_BYTES,
        TIMEOUT,
        member_api.encode(body),
    )
