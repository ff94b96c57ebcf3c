"""What a remedy may need to know to name the exact object."""

from dataclasses import dataclass, field
from shlex import quote

from quorate.admission.injection import Pod
from quorate.api.v1alpha1 import AttestedModel
from quorate.certificate import PolicyRef
from quorate.policy.compiled import CompiledPolicy
from quorate_cli.cluster.kinds import Document
from quorate_cli.explain.target import Target

ENFORCED_BY_PLATFORM = "ask the platform team: only they change a ClusterSafetyPolicy"


@dataclass(frozen=True, slots=True)
class Context:
    """The pod or model that was denied, and everything around it."""

    namespace: str
    model_name: str = ""
    target: Target | None = None
    """How to change the pod; None where only a model is explained."""
    pod: Pod | None = None
    model: AttestedModel | None = None
    policies: tuple[CompiledPolicy, ...] = ()
    """Those that select the pod."""
    others: tuple[CompiledPolicy, ...] = ()
    """Those of the namespace and the cluster that do not."""
    other_models: list[tuple[str, Document]] = field(default_factory=list)

    @property
    def where(self) -> str:
        """``-n NAMESPACE``."""
        return f"-n {quote(self.namespace)}"

    @property
    def model_ref(self) -> str:
        """``attestedmodel/NAME -n NAMESPACE``."""
        return f"{quote(f'attestedmodel/{self.model_name}')} {self.where}"

    def policy(self, ref: str) -> CompiledPolicy | None:
        """The selecting policy that messages call ``ref``."""
        return next((policy for policy in self.policies if str(policy.ref) == ref), None)


def edit_policy(ref: PolicyRef) -> str:
    """The command that opens a policy."""
    where = f" -n {quote(ref.namespace)}" if ref.namespace else ""
    return f"kubectl edit {quote(f'{ref.kind.lower()}/{ref.name}')}{where}"


def parse_ref(text: str) -> PolicyRef | None:
    """A policy as messages name it: ``Kind/name`` or ``Kind/namespace/name``."""
    match text.split("/"):
        case ["ClusterSafetyPolicy" as kind, name]:
            return PolicyRef(kind, None, name)
        case ["SafetyPolicy" as kind, namespace, name]:
            return PolicyRef(kind, namespace, name)
    return None
