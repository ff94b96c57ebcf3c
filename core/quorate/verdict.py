"""The outcome of a decision: allowed, or denied with reasons a person can act on."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why something was denied: stable words that conditions, Events and metrics use."""

    # the pod
    NO_POLICY = "NoPolicySelectsPod"
    NO_PLATFORM_FLOOR = "NoClusterPolicySelectsPod"
    TOO_MANY_POLICIES = "TooManyPolicies"
    INVALID_POLICY = "InvalidPolicy"
    POLICY_CONFLICT = "PolicyConflict"
    NO_MODEL_LABEL = "NoModelLabel"
    MODEL_NOT_FOUND = "AttestedModelNotFound"
    SERVER_NOT_ALLOWED = "ServerImageNotAllowed"
    SERVER_NOT_SIGNED = "ServerImageNotSigned"
    EXTRA_CONTAINER = "ExtraContainer"
    MODEL_NOT_MOUNTED = "ModelNotMounted"
    MODEL_MOUNT_WRITABLE = "ModelMountWritable"
    SOURCE_NOT_ALLOWED = "ModelSourceNotAllowed"
    VOLUME_NOT_ALLOWED = "VolumeNotAllowed"
    HOST_ACCESS = "HostAccess"
    PRESET_NODE = "NodeNamePreset"
    NOT_INJECTED = "InjectionDiffers"
    NOT_GATED = "SchedulingGateMissing"
    GATE_HELD = "SchedulingGateHeld"
    PROBE_NOT_DECLARED = "ProbeNotDeclared"
    PORT_NOT_DECLARED = "PortNotDeclared"
    RESERVED_NAME = "ReservedName"
    GUARDED_CHANGE = "GuardedFieldChanged"
    EPHEMERAL_CONTAINER = "EphemeralContainer"
    TOKEN_AUDIENCE = "TokenAudienceReserved"
    CONNECT_REFUSED = "ConnectRefused"
    # evidence
    NOT_SIGNED = "NotSigned"
    SIGNER_NOT_TRUSTED = "SignerNotTrusted"
    SIGNATURE_INVALID = "SignatureInvalid"
    MANIFEST_MISMATCH = "ManifestMismatch"
    GATE_MISSING = "GateMissing"
    GATE_FAILED = "GateFailed"
    GATE_EXPIRED = "GateExpired"
    GATE_UNTRUSTED = "GateProducerNotTrusted"
    GATE_OTHER_MODEL = "GateForAnotherModel"
    GATE_OTHER_SUITE = "GateSuiteNotAccepted"
    GATE_OTHER_SCOPE = "GateOutOfScope"
    EVIDENCE_MALFORMED = "EvidenceMalformed"
    # certificates and state
    VERIFICATION_PENDING = "VerificationPending"
    CERTIFICATE_MISSING = "CertificateMissing"
    CERTIFICATE_INVALID = "CertificateInvalid"
    CERTIFICATE_EXPIRED = "CertificateExpired"
    REVOKED = "Revoked"
    STATE_MISSING = "StateMissing"
    STATE_EXPIRED = "StateExpired"
    STATE_INVALID = "StateInvalid"
    # receipts
    TOKEN_WITHOUT_NODE = "TokenWithoutNode"
    TOKEN_OTHER_NODE = "TokenOfAnotherNode"
    SESSION_KEY_NOT_PROVEN = "SessionKeyNotProven"
    REQUEST_OTHER_POD = "RequestForAnotherPod"
    IMAGES_UNKNOWN = "ImagesUnknown"
    IMAGE_DIFFERS = "RunningImageDiffers"
    # everything else
    MALFORMED = "Malformed"
    NOT_READY = "NotReady"
    DEADLINE = "DeadlineExceeded"
    INTERNAL = "InternalError"


@dataclass(frozen=True, slots=True)
class Denial:
    """One reason for a DENY: what is missing, who owns it, and the step that would fix it."""

    reason: Reason
    message: str
    requirement: str = ""
    policy: str = ""
    owner: str = ""
    fix: str = ""

    def text(self) -> str:
        """One line for people: reason, message, policy, owner and fix, as far as known."""
        parts = [f"{self.reason}: {self.message}"]
        for label, value in (
            ("requirement", self.requirement),
            ("policy", self.policy),
            ("owner", self.owner),
            ("fix", self.fix),
        ):
            if value:
                parts.append(f"{label}: {value}")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Allowed only if it holds no denial. The empty verdict is built by :data:`ALLOW` alone."""

    denials: tuple[Denial, ...] = ()

    @property
    def allowed(self) -> bool:
        """True if nothing was denied."""
        return not self.denials

    def text(self) -> str:
        """All denials, one a line; ``allowed`` if there is none."""
        return "\n".join(denial.text() for denial in self.denials) or "allowed"


ALLOW = Verdict()


def deny(reason: Reason, message: str, **details: str) -> Verdict:
    """A verdict with one denial; ``details`` are the other fields of :class:`Denial`."""
    return Verdict((Denial(reason, message, **details),))


def all_of(*verdicts: Verdict) -> Verdict:
    """Every verdict must allow. Keeps all denials, in order, each once."""
    denials = dict.fromkeys(denial for verdict in verdicts for denial in verdict.denials)
    return Verdict(tuple(denials))
