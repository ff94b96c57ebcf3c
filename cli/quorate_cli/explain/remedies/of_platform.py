"""Remedies for policies: none selects, too many do, they conflict, one does not compile."""

import json
from shlex import quote

from quorate import limits
from quorate.admission import pods
from quorate.policy.compiled import CompiledPolicy
from quorate.verdict import Denial
from quorate_cli.explain.explanation import Remedy
from quorate_cli.explain.remedies.context import (
    ENFORCED_BY_PLATFORM,
    Context,
    edit_policy,
    parse_ref,
)
from quorate_cli.policies import unmet

PLATFORM_DOCS = "kubectl explain clustersafetypolicy.spec --recursive"


def selected(denial: Denial, context: Context) -> Remedy:
    """Label the pod so that the platform's policy selects it; or have that policy changed."""
    floors = [policy for policy in context.others if policy.is_cluster and policy.signers]
    for policy in floors:
        if labels := _missing_labels(policy, context):
            written = ", ".join(f"{key}={value}" for key, value in labels.items())
            commands = context.target.patch(metadata={"labels": labels}) if context.target else ()
            return Remedy(
                text=f"label the pod with {written}, and {policy.ref} selects it", commands=commands
            )
    if floors:
        text = f"{ENFORCED_BY_PLATFORM}; they would let one of these select the pod"
        return Remedy(text=text, commands=tuple(edit_policy(p.ref) for p in floors[:3]))
    unsigned = [p for p in (*context.policies, *context.others) if p.is_cluster]
    if unsigned:
        text = f"{ENFORCED_BY_PLATFORM}; they would name model.signers in one of these"
        return Remedy(text=text, commands=tuple(edit_policy(p.ref) for p in unsigned[:3]))
    text = (
        "ask the platform team for a ClusterSafetyPolicy that names signers and selects this pod; "
        "there is none in the cluster"
    )
    return Remedy(text=text, commands=(PLATFORM_DOCS, "kubectl apply -f CLUSTERSAFETYPOLICY.yaml"))


def _missing_labels(policy: CompiledPolicy, context: Context) -> dict[str, str]:
    """Labels that would make ``policy`` select the pod; empty if labels alone do not."""
    labels = pods.labels(context.pod) if context.pod else {}
    terms = unmet(policy.spec.selector, labels)
    if not all(term.wanted for term in terms):
        return {}
    wanted = {term.key: term.wanted[0] for term in terms}
    return wanted if not unmet(policy.spec.selector, labels | wanted) else {}


def fewer(denial: Denial, context: Context) -> Remedy:
    """Merge policies until few enough select the pod."""
    listing = f"kubectl get clustersafetypolicies,safetypolicies {context.where}"
    text = f"merge policies or narrow their selectors to at most {limits.POLICIES_PER_POD}"
    return Remedy(text=text, commands=(listing,))


def compiled(denial: Denial, context: Context) -> Remedy:
    """Mend the field the message names."""
    ref = parse_ref(denial.policy)
    text = denial.fix or "correct the field that the message names"
    return Remedy(text=text, commands=(edit_policy(ref),) if ref else ())


def agreed(denial: Denial, context: Context) -> Remedy:
    """Make the policies agree."""
    own = [policy for policy in context.policies if not policy.is_cluster]
    edits = tuple(edit_policy(policy.ref) for policy in own or context.policies)
    return Remedy(text=denial.fix or "make the policies agree", commands=edits[:3])


def owned(denial: Denial, context: Context) -> Remedy:
    """Name the owners, or mend whatever else is malformed about the model."""
    if context.model is None:
        command = f"kubectl get {context.model_ref} -o yaml"
        return Remedy(text=f"correct the AttestedModel: {denial.message}", commands=(command,))
    owners = next((p.spec.owners for p in context.policies if p.spec.owners), None)
    if owners is None:
        command = f"kubectl edit {context.model_ref}"
        return Remedy(text="set spec.owners: model, safety and infra", commands=(command,))
    patch = {"spec": {"owners": owners.model_dump(mode="json")}}
    body = quote(json.dumps(patch, separators=(",", ":")))
    return Remedy(
        text="set spec.owners; these are the policy's, correct them where they differ",
        commands=(f"kubectl patch {context.model_ref} --type=merge -p {body}",),
    )
