"""The operator's question: does this model hold this policy? From request to answer, pure."""

from datetime import datetime

from quorate.errors import Expired, InvalidInput
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.exceptions import EXCEPTED
from quorate.policy.requirement import Requirement
from quorate_consensus.issuing import Vote
from quorate_consensus.observed import ObservedModel
from quorate_consensus.proposed_time import check_near
from quorate_consensus.relay import read_model, read_policy
from quorate_io import member_api
from quorate_io.member_api import EvaluateAnswer, EvaluateRequest, RequirementResult

VERIFIED = "Verified"
_MESSAGE_CHARS = 1024
"""What a requirement's message may hold in an AttestedModel's status."""


def read_question(body: bytes) -> tuple[CompiledPolicy, ObservedModel, datetime]:
    """Read the request: policy, model, and the time to judge at.

    Raises InvalidInput, also for a tenant's policy of another namespace.
    """
    request = member_api.decode(
        body, EvaluateRequest, bytes_max=member_api.EVALUATE_BYTES, what="evaluate request"
    )
    policy, model = read_policy(request.policy), read_model(request.model)
    if model.unread:
        raise InvalidInput(
            f"cannot be judged: {', '.join(model.model.unread)} must be read first", field="model"
        )
    if policy.ref.namespace not in (None, model.namespace):
        raise InvalidInput(f"must be in the namespace of {model.model.ref}", field="policy")
    issued_at = request.issued_at
    if issued_at.microsecond or issued_at.utcoffset():
        # One spelling: it is signed.
        raise InvalidInput("must be a whole second, in UTC", field="issuedAt")
    return policy, model, issued_at


def check_time(issued_at: datetime, now: datetime) -> None:
    """Raise InvalidInput unless the time to judge at is near this member's clock."""
    try:
        check_near(issued_at, now)
    except Expired as error:
        raise InvalidInput(error.message, field=error.field, fix=error.fix) from error


def answer(vote: Vote) -> EvaluateAnswer:
    """What the operator is told."""
    return EvaluateAnswer(
        policy_digest=vote.policy_digest,
        requirements=tuple(_result(r) for r in vote.evaluation.requirements),
        certificate=vote.envelope,
        expires_at=vote.expires_at,
        renew_at=vote.renew_at,
    )


def _result(requirement: Requirement) -> RequirementResult:
    denial = requirement.denial
    if denial is None:
        count = len(requirement.shown_by)
        message = requirement.note or f"shown by {count} signed document{'' if count == 1 else 's'}"
        message = message[:_MESSAGE_CHARS]
        reason = VERIFIED
        if requirement.lifted_by:
            end = requirement.not_after.isoformat() if requirement.not_after else "then"
            reason = EXCEPTED
            message = f"not shown; lifted by SafetyException/{requirement.lifted_by} until {end}"
        return RequirementResult(
            name=requirement.name, status="True", reason=reason, message=message
        )
    return RequirementResult(
        name=requirement.name,
        status="False",
        reason=denial.reason.value,
        message=denial.message[:_MESSAGE_CHARS],
        fix=denial.fix[:_MESSAGE_CHARS],
    )
