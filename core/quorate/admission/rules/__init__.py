"""What a model pod must look like, whatever the evidence says. One subject a file.

Each rule takes the pod, read once, and what the policies allow, and yields its denials.
"""

from collections.abc import Iterable

from quorate.admission.injection import InjectionConfig, Pod
from quorate.admission.rules.allowed import Allowed, Rule
from quorate.admission.rules.arguments import arguments
from quorate.admission.rules.audit_claim import audit_claim, audit_claim_read_only
from quorate.admission.rules.bounds import too_large
from quorate.admission.rules.containers import containers
from quorate.admission.rules.debugging import check_debugging
from quorate.admission.rules.environment import environment
from quorate.admission.rules.fields import fields
from quorate.admission.rules.host import host_access
from quorate.admission.rules.injected import injected
from quorate.admission.rules.model_mount import model_mount
from quorate.admission.rules.ports import ports_and_probes
from quorate.admission.rules.source import source
from quorate.admission.rules.subject import take_apart
from quorate.admission.rules.token import no_token, token_audience
from quorate.admission.rules.volumes import volumes
from quorate.verdict import Denial

RULES: tuple[Rule, ...] = (
    fields,
    host_access,
    containers,
    environment,
    arguments,
    volumes,
    audit_claim,
    token_audience,
    source,
    model_mount,
    ports_and_probes,
    injected,
)


def check(pod: Pod, allowed: Allowed) -> list[Denial]:
    """All denials of all rules, in order; of a pod that is too large, that alone."""
    large = too_large(pod)
    if large is not None:
        return [large]
    subject = take_apart(pod, allowed.source)
    return [denial for rule in RULES for denial in rule(subject, allowed)]


def check_exempt(pod: Pod, injections: Iterable[InjectionConfig]) -> list[Denial]:
    """All denials of a pod without a model: it may not pose as one, nor spoil another's records."""
    large = too_large(pod)
    if large is not None:
        return [large]
    return [*no_token(pod), *audit_claim_read_only(pod, injections)]


__all__ = ["RULES", "Allowed", "Rule", "check", "check_debugging", "check_exempt"]
