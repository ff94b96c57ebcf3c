"""Documents that are kept outside the object: where, and what was read. Nothing is fetched here."""

from quorate.api.v1alpha1 import AttestedModel
from quorate.api.v1alpha1.attested_model import RequirementStatus
from quorate.api.v1alpha1.document_source import DocumentSource
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.requirement import Requirement
from quorate.policy.server_images import SERVERS_SIGNED
from quorate.verdict import Denial, Reason
from quorate_cli.explain.explanation import SourceLine


def source_lines(model: AttestedModel) -> tuple[SourceLine, ...]:
    """Every source of the model with what its status says."""
    reported = {(s.field, s.name): s for s in (model.status.sources if model.status else ())}
    lines = []
    for field, source in model.spec.sources:
        found = reported.get((field, source.name))
        lines.append(
            SourceLine(
                field=field.value,
                name=source.name,
                place=_place(source),
                status=f"{found.status} {found.reason}" if found else "",
                message=found.message if found else "the operator has not said what it read",
                fetched_at=(found.fetched_at or "") if found else "",
                documents=tuple(d.digest for d in found.documents) if found else (),
            )
        )
    return tuple(lines)


def is_elsewhere(policy: CompiledPolicy, model: AttestedModel, requirement: Requirement) -> bool:
    """Whether what shows a requirement may be kept outside the objects."""
    if requirement.name == SERVERS_SIGNED:
        return any(server.signature_repository for server in policy.spec.model.servers or ())
    return bool(model.spec.sources)


def as_reported(
    policy: CompiledPolicy, model: AttestedModel, requirement: Requirement
) -> Requirement | None:
    """What the committee said of a requirement that nothing inside the object shows.

    None if the requirement can be judged here, or if nothing was said of it as it is now.
    """
    if not is_elsewhere(policy, model, requirement) or requirement.denial is None:
        return None
    found = _report(policy, model, requirement.name)
    if found is None:
        return None
    if found.status == "True":
        return Requirement(requirement.name, None)
    reasons = {reason.value: reason for reason in Reason}
    reason = reasons.get(found.reason, Reason.VERIFICATION_PENDING)
    message, _, fix = found.message.partition(" (fix: ")
    denial = Denial(
        reason,
        message,
        requirement=requirement.name,
        policy=str(policy.ref),
        owner=policy.safety_contact,
        fix=fix.removesuffix(")"),
    )
    return Requirement(requirement.name, denial)


def _report(policy: CompiledPolicy, model: AttestedModel, name: str) -> RequirementStatus | None:
    status = model.status
    if status is None or status.observed_generation < model.metadata.generation:
        return None
    wanted = (policy.ref.kind, policy.ref.name, policy.digest)
    for entry in status.policies:
        if (entry.kind, entry.name, entry.digest) == wanted:
            return next((item for item in entry.requirements if item.name == name), None)
    return None


def _place(source: DocumentSource) -> str:
    if source.config_map is not None:
        return f"ConfigMap {source.config_map.name}, key {source.config_map.key}"
    return f"referrers of {source.oci_referrers.reference}" if source.oci_referrers else "nowhere"
