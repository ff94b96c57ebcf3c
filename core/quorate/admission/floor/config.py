"""What the floor is made of, and where it does not reach."""

from dataclasses import dataclass

from quorate import names
from quorate.admission.injection import InjectionConfig

GENESIS_SECRET = "quorate-genesis"
"""Parameter of the floor. Not secret: a ConfigMap would not do, because the API server stops
watching ConfigMaps for good when the last policy with such a parameter is deleted, and a second
installation would find none. Secrets it watches for itself."""
GENESIS_ANNOTATION = f"{names.GROUP}/genesis-digest"
"""What injected containers must be started with. CEL cannot decode a Secret's data."""
EXCLUDED_NAMESPACES = (names.NAMESPACE, "kube-system", "kube-node-lease")
"""Never ours to judge: a cluster must start while we are down."""


@dataclass(frozen=True, slots=True)
class FloorConfig:
    """What the floor is made of. Strings may be Helm expressions: the chart is generated so."""

    injection: InjectionConfig
    """Its ``genesis_digest`` is not used: the Secret of the genesis says it at evaluation."""
    previous_image: str
    """The sidecar image of the release before, for pods injected during an upgrade."""
    deny_unselected: str = "false"
    """CEL ``true``: a ClusterSafetyPolicy that does not select a pod must list its images too."""
    prefix: str = "quorate-floor"
    namespace: str = names.NAMESPACE
