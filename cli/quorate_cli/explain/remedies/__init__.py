"""For every reason of a DENY: what would put it right, and the commands that do it."""

from collections.abc import Callable, Mapping
from typing import Final

from quorate.verdict import Denial, Reason
from quorate_cli.explain.explanation import Refusal, Remedy
from quorate_cli.explain.remedies import of_evidence, of_platform, of_pod
from quorate_cli.explain.remedies.context import Context

REMEDIES: Final[Mapping[Reason, Callable[[Denial, Context], Remedy]]] = {
    Reason.NO_POLICY: of_platform.selected,
    Reason.NO_PLATFORM_FLOOR: of_platform.selected,
    Reason.TOO_MANY_POLICIES: of_platform.fewer,
    Reason.INVALID_POLICY: of_platform.compiled,
    Reason.POLICY_CONFLICT: of_platform.agreed,
    Reason.MALFORMED: of_platform.owned,
    Reason.NO_MODEL_LABEL: of_pod.labelled,
    Reason.MODEL_NOT_FOUND: of_pod.model_made,
    Reason.SERVER_NOT_ALLOWED: of_pod.server,
    Reason.SERVER_NOT_SIGNED: of_evidence.server_signed,
    Reason.EXTRA_CONTAINER: of_pod.edited,
    Reason.MODEL_NOT_MOUNTED: of_pod.mounted,
    Reason.MODEL_MOUNT_WRITABLE: of_pod.mounted,
    Reason.SOURCE_NOT_ALLOWED: of_pod.edited,
    Reason.VOLUME_NOT_ALLOWED: of_pod.edited,
    Reason.HOST_ACCESS: of_pod.edited,
    Reason.PRESET_NODE: of_pod.edited,
    Reason.NOT_INJECTED: of_pod.recreated,
    Reason.NOT_GATED: of_pod.recreated,
    Reason.GATE_HELD: of_evidence.waited,
    Reason.PROBE_NOT_DECLARED: of_pod.edited,
    Reason.PORT_NOT_DECLARED: of_pod.edited,
    Reason.RESERVED_NAME: of_pod.edited,
    Reason.GUARDED_CHANGE: of_pod.recreated,
    Reason.EPHEMERAL_CONTAINER: of_pod.recreated,
    Reason.TOKEN_AUDIENCE: of_pod.edited,
    Reason.CONNECT_REFUSED: of_pod.connected,
    Reason.NOT_SIGNED: of_evidence.signed,
    Reason.SIGNER_NOT_TRUSTED: of_evidence.signed,
    Reason.SIGNATURE_INVALID: of_evidence.signed,
    Reason.MANIFEST_MISMATCH: of_evidence.other_manifest,
    Reason.GATE_MISSING: of_evidence.gated,
    Reason.GATE_FAILED: of_evidence.gated,
    Reason.GATE_EXPIRED: of_evidence.gated,
    Reason.GATE_UNTRUSTED: of_evidence.gated,
    Reason.GATE_OTHER_MODEL: of_evidence.gated,
    Reason.GATE_OTHER_SUITE: of_evidence.gated,
    Reason.GATE_OTHER_SCOPE: of_evidence.gated,
    Reason.EVIDENCE_MALFORMED: of_evidence.gated,
    Reason.VERIFICATION_PENDING: of_evidence.waited,
    Reason.CERTIFICATE_MISSING: of_evidence.certified,
    Reason.CERTIFICATE_INVALID: of_evidence.certified,
    Reason.CERTIFICATE_EXPIRED: of_evidence.certified,
    Reason.REVOKED: of_evidence.renewed,
    Reason.STATE_MISSING: of_evidence.renewed,
    Reason.STATE_EXPIRED: of_evidence.renewed,
    Reason.STATE_INVALID: of_evidence.renewed,
    Reason.TOKEN_WITHOUT_NODE: of_pod.without_receipt,
    Reason.TOKEN_OTHER_NODE: of_pod.without_receipt,
    Reason.SESSION_KEY_NOT_PROVEN: of_pod.without_receipt,
    Reason.REQUEST_OTHER_POD: of_pod.without_receipt,
    Reason.IMAGES_UNKNOWN: of_pod.without_receipt,
    Reason.IMAGE_DIFFERS: of_pod.without_receipt,
    Reason.NOT_READY: of_evidence.renewed,
    Reason.DEADLINE: of_evidence.renewed,
    Reason.INTERNAL: of_evidence.renewed,
}


def refusal(denial: Denial, context: Context) -> Refusal:
    """The denial with the commands that would fix it."""
    return Refusal(
        reason=str(denial.reason),
        message=denial.message,
        requirement=denial.requirement,
        policy=denial.policy,
        owner=denial.owner,
        remedy=REMEDIES[denial.reason](denial, context),
    )
