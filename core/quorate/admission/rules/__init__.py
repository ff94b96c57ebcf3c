"""What a model pod must look like, whatever the evidence says. One subject a file.

Each rule takes the pod and what the policies allow, and yields its denials.
"""

from quorate.admission.injection import Pod
from quorate.admission.rules.allowed import Allowed, Rule
from quorate.admission.rules.arguments import arguments
from quorate.admission.rules.containers import containers
from quorate.admission.rules.environment import environment
from quorate.admission.rules.host import host_access
from quorate.admission.rules.injected import injected
from quorate.admission.rules.model_mount import model_mount
from quorate.admission.rules.ports import ports_and_probes
from quorate.admission.rules.token import token_audience
from quorate.admission.rules.volumes import volumes
from quorate.verdict import Denial

RULES: tuple[Rule, ...] = (
    host_access,
    containers,
    environment,
    arguments,
    volumes,
    token_audience,
    model_mount,
    ports_and_probes,
    injected,
)


def check(pod: Pod, allowed: Allowed) -> list[Denial]:
    """All denials of all rules, in order."""
    return [denial for rule in RULES for denial in rule(pod, allowed)]


__all__ = ["RULES", "Allowed", "Rule", "check", "token_audience"]
