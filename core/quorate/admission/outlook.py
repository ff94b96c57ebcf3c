"""What the operator's unsigned reports say of a model: they word a DENY early, and never allow."""

from quorate.admission.model import KnownModel, Report, reported
from quorate.policy.compiled import CompiledPolicy
from quorate.verdict import Denial, Reason


def outlook(
    known: KnownModel, policies: tuple[CompiledPolicy, ...]
) -> tuple[list[Denial], tuple[str, ...]]:
    """Requirements the operator already saw fail, and what is still being verified, for people."""
    failed: list[Denial] = []
    pending: list[str] = []
    for policy in policies:
        report = reported(known, policy)
        if report is None:
            pending.append(f"{Reason.VERIFICATION_PENDING}: {policy.ref} is being verified")
            continue
        pending += [
            f"{Reason.VERIFICATION_PENDING}: {requirement} of {policy.ref}: {message}"
            for requirement, _, message in report.unknown
        ]
        failed += _failures(known, policy, report)
    return failed, tuple(pending)


_REASONS = {str(reason): reason for reason in Reason}


def _failures(known: KnownModel, policy: CompiledPolicy, report: Report) -> list[Denial]:
    return [
        Denial(
            _REASONS.get(reason, Reason.CERTIFICATE_MISSING),
            message,
            requirement=requirement,
            policy=str(policy.ref),
            owner=policy.safety_contact,
            fix=f"kubectl quorate explain {known.ref}",
        )
        for requirement, reason, message in report.failed
    ]
