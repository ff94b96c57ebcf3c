"""Whether a statement is the one that this member would sign. Pure."""

from datetime import datetime
from enum import StrEnum

import msgspec

from quorate import certificate, limits
from quorate.canonical import canonical
from quorate.certificate import Statement
from quorate.consensus.epoch import Epoch
from quorate.consensus.request import Request
from quorate.errors import QuorateError
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.evaluate import Evaluation
from quorate.statements import check_life, check_time, convert


class Difference(StrEnum):
    """Why it is not. Stable words."""

    MALFORMED = "StatementMalformed"
    OTHER_SUBJECT = "StatementOfAnother"
    OTHER_EPOCH = "StatementOfAnotherEpoch"
    TIME = "StatementOutOfTime"
    OUTLIVES = "StatementOutlivesEvidence"
    EVIDENCE = "StatementOfOtherEvidence"


def read(request: Request) -> Statement:
    """The statement in an ask to certify. Raises InvalidInput."""
    statement = convert(request.arguments, Statement, "arguments")
    certificate_form = msgspec.to_builtins(statement)
    if canonical(certificate_form) != canonical(request.arguments):
        raise QuorateError("is not in the form that is signed", field="arguments")
    return statement


def difference(
    statement: Statement,
    request: Request,
    epoch: Epoch,
    policy: CompiledPolicy,
    evaluation: Evaluation,
    now: datetime,
) -> Difference | None:
    """How ``statement`` differs from what the evaluation supports; None if it does not."""
    principal = request.principal
    if statement.cluster_id != epoch.cluster_id:
        return Difference.OTHER_SUBJECT
    if statement.epoch != epoch.digest_text:
        return Difference.OTHER_EPOCH
    try:
        certificate.check_subject(
            statement,
            namespace=principal.namespace,
            model=principal.model,
            manifest_digest=principal.manifest_digest,
            policy=policy.ref,
            policy_digest=policy.digest,
        )
    except QuorateError:
        return Difference.OTHER_SUBJECT
    try:
        check_life(statement, "certificate", limits.CERTIFICATE_LIFE)
        check_time(statement, now, "certificate")
    except QuorateError:
        return Difference.TIME
    end = evaluation.not_after
    if end is not None and statement.expires_at > end:
        return Difference.OUTLIVES
    shown = (evaluation.evidence, evaluation.servers.signed, evaluation.servers.unread)
    if (statement.evidence, statement.servers, statement.servers_unread) != shown:
        return Difference.EVIDENCE
    return None
