"""Names that users and clusters hold on to. They do not change between releases."""

from typing import Final

GROUP: Final = "quorate.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

NAMESPACE: Final = "quorate-system"
AUDIENCE: Final = "quorate"
"""Audience of the projected tokens that sidecars and the operator show to members."""

MODE_LABEL: Final = f"{GROUP}/mode"
"""Namespace label: ``enforce``, ``warn`` or ``audit``."""
ENFORCE_AGAIN: Final = f"{GROUP}/enforce-again-at"
"""Namespace annotation: when a namespace whose enforcement is suspended enforces again."""
SUSPENDED_BECAUSE: Final = f"{GROUP}/suspended-because"
"""Namespace annotation: why."""
SUSPENDED_BY: Final = f"{GROUP}/suspended-by"
"""Namespace annotation: who, by the API server's name for them."""
CONNECT_LABEL: Final = f"{GROUP}/connect"
"""Namespace label: with ``refuse``, the floor refuses every exec, attach and port-forward."""
MEMBER_LABEL: Final = f"{GROUP}/member"
"""Label of a member's own objects in our namespace: StatefulSet, pod, Service. Its seat's name."""
MODEL_LABEL: Final = f"{GROUP}/model"
"""Pod label: the AttestedModel of the same namespace that the pod serves."""
SCHEDULING_GATE: Final = f"{GROUP}/verified"
RELEASED_ANNOTATION: Final = f"{GROUP}/released"
"""Pod annotation: the operator's mark on a pod whose gate it removed."""

MEASURE_CONTAINER: Final = "quorate-measure"
SIDECAR_CONTAINER: Final = "quorate-sidecar"
VOLUME_PREFIX: Final = "quorate-"
TOKEN_VOLUME: Final = "quorate-token"
WORK_VOLUME: Final = "quorate-work"
NO_TOKEN_VOLUME: Final = "quorate-no-api-token"
"""An empty directory mounted where the API token would appear."""
AUDIT_VOLUME: Final = "quorate-audit"
"""The sidecar's audit log: an empty directory, or a claim."""

CANARY_VOLUME: Final = "quorate-canaries"
"""The Secret with a deck of canaries, in a pod that asks them."""
CANARY_ANNOTATION: Final = f"{GROUP}/canaries"
"""Pod annotation: the Secret of its namespace whose deck the pod's sidecar asks."""
DECK_KEY: Final = "deck"
"""Of that Secret."""

API_TOKEN_PATH: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_PATH: Final = "/var/run/secrets/quorate.dev"
WORK_PATH: Final = "/run/quorate"
AUDIT_PATH: Final = "/run/quorate-audit"
CANARY_PATH: Final = "/run/quorate-canaries"
MODEL_PATH: Final = "/run/quorate-model"
"""Where ``quorate-measure`` and the sidecar see the model, always read-only."""

OPERATOR_ACCOUNT: Final = "quorate-operator"
OPERATOR_USER: Final = f"system:serviceaccount:{NAMESPACE}:{OPERATOR_ACCOUNT}"
MEMBER_PORT: Final = 8443
MEMBER_MARK: Final = "{member}"
"""Stands for a member's name in the host of a URL that reaches each of them."""
MEMBER_URL: Final = f"https://quorate-{MEMBER_MARK}.{NAMESPACE}.svc:{MEMBER_PORT}"
"""Where the chart's members are: one Service for each, ``quorate-member-0`` and so on."""
WEBHOOK_SERVICE: Final = "quorate-webhook"
FIELD_MANAGER: Final = "quorate-operator"

MANIFEST_SUBJECT: Final = "quorate-manifest.json"
"""Name of the in-toto subject that carries a model's manifest digest."""
EXCEPTION_SUBJECT: Final = "quorate-exception.json"
"""Name of the in-toto subject that carries the digest of an exception's terms."""
HOLD_SUBJECT: Final = "quorate-hold.json"
"""Name of the in-toto subject that carries a hold's id."""
CERTIFICATE_TYPE: Final = "application/vnd.quorate.certificate.v1alpha1+json"
STATE_TYPE: Final = "application/vnd.quorate.state.v1alpha1+json"
RECEIPT_TYPE: Final = "application/vnd.quorate.receipt.v1alpha1+json"
RECEIPT_REQUEST_TYPE: Final = "application/vnd.quorate.receipt-request.v1alpha1+json"
INTOTO_TYPE: Final = "application/vnd.in-toto+json"

GIT_PATHS: Final = (".git", ".gitattributes", ".github", ".gitignore")
"""What the reference library for model signing leaves out unless told otherwise."""


def member_object(member: str) -> str:
    """Name of a member's own Service and StatefulSet; its pod has it too, followed by ``-0``."""
    return f"quorate-{member}"


def member_key(member: str) -> str:
    """Name of the Secret with a member's identity key, which no other member mounts."""
    return f"quorate-{member}-key"
