"""Every alert there is: its rule, how bad it is, who raises it, and what it means.

An alert is one SafetyIncident, one Event and one count of ``quorate_alerts_total``; it has a
shipped Prometheus rule and a page under docs/howto/runbooks of the same name. Only the operator
writes the objects: what a pod's own containers see, they report to a member, where the operator
reads it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

Severity = Literal["Critical", "High", "Medium", "Low"]


class Rule(StrEnum):
    """One stable CamelCase word for each alert."""

    WEBHOOK_DOWN = "WebhookDown"
    WEBHOOK_WATCH_STALE = "WebhookWatchStale"
    OPERATOR_WATCH_STALE = "OperatorWatchStale"
    MEMBER_UNAVAILABLE = "MemberUnavailable"
    COMMITTEE_DEGRADED = "CommitteeDegraded"
    JUDGES_NOT_DIVERSE = "JudgesNotDiverse"
    MEMBER_STORE_BROKEN = "MemberStoreBroken"
    OPERATOR_DOWN = "OperatorDown"
    ACTION_HELD = "ActionHeld"
    DECISIONS_SPLIT = "DecisionsSplit"
    MEMBERS_ERR_TOGETHER = "MembersErrTogether"
    MEMBER_QUARANTINED = "MemberQuarantined"
    EVIDENCE_BEYOND_R = "EvidenceBeyondR"
    CANARIES_USED_UP = "CanariesUsedUp"
    REPLACEMENT_PREPARED = "ReplacementPrepared"
    STATE_AGE_HIGH = "StateAgeHigh"
    RECEIPT_RENEWAL_LATE = "ReceiptRenewalLate"
    CERTIFICATE_RENEWAL_LATE = "CertificateRenewalLate"
    SERVING_CERTIFICATE_RENEWAL_LATE = "ServingCertificateRenewalLate"
    FOREIGN_LISTENER = "ForeignListener"
    AUDIT_LOG_NOT_WRITTEN = "AuditLogNotWritten"
    MODEL_MISMATCH = "ModelMismatch"
    EXCEPTION_ACTIVE = "ExceptionActive"
    ENFORCEMENT_SUSPENDED = "EnforcementSuspended"
    POD_ESCAPED = "PodEscaped"
    STATIC_POD_FOUND = "StaticPodFound"
    MANY_PODS_ESCAPED = "ManyPodsEscaped"
    ESCAPE_SCAN_LATE = "EscapeScanLate"


class Source(StrEnum):
    """Who finds out."""

    POD = "the pod's own containers, by a report to a member"
    OPERATOR = "the operator, by looking"
    PROMETHEUS = "Prometheus alone: who writes incidents is away"


@dataclass(frozen=True, slots=True)
class Alert:
    """One entry of the catalogue. ``subject`` says what kind of object the incident is about."""

    rule: Rule
    severity: Severity
    source: Source
    subject: str
    meaning: str


CATALOGUE: Final = (
    Alert(
        Rule.WEBHOOK_DOWN,
        "Critical",
        Source.OPERATOR,
        "Service quorate-webhook",
        "No replica is an endpoint that answers under the authority the API server was given; pods "
        "in enforced namespaces cannot be created or changed.",
    ),
    Alert(
        Rule.WEBHOOK_WATCH_STALE,
        "Critical",
        Source.OPERATOR,
        "Pod of the webhook",
        "A replica answers that it is not ready because it has heard nothing about a kind; it "
        "refuses reviews. If that is true of all replicas it also is WebhookDown.",
    ),
    Alert(
        Rule.OPERATOR_WATCH_STALE,
        "Critical",
        Source.OPERATOR,
        "Deployment quorate-operator",
        "The operator has heard nothing about a kind; it sends members no heartbeat and starts "
        "anew if this lasts.",
    ),
    Alert(
        Rule.MEMBER_UNAVAILABLE,
        "Critical",
        Source.OPERATOR,
        "Service of a member, such as quorate-member-0",
        "A member does not answer the operator; the incident names it. Without a strict quorum of "
        "them, certificates and receipts are not renewed; without r + 1, states are not either.",
    ),
    Alert(
        Rule.COMMITTEE_DEGRADED,
        "High",
        Source.OPERATOR,
        "SafetyCommittee",
        "So few members answer, or are believed, that one more could not be missed: without it no "
        "certificate, receipt or epoch record gets its signatures.",
    ),
    Alert(
        Rule.JUDGES_NOT_DIVERSE,
        "High",
        Source.OPERATOR,
        "SafetyCommittee",
        "Two members whose word counts go by the same judges, or by sets that approve together "
        "what they should not, by the release's figures: what one overlooks, the other does.",
    ),
    Alert(
        Rule.MEMBER_STORE_BROKEN,
        "High",
        Source.OPERATOR,
        "Service of a member, such as quorate-member-0",
        "A member's disk refused a vote: it abstains from every action until it starts again, and "
        "counts as one that is down.",
    ),
    Alert(
        Rule.OPERATOR_DOWN,
        "Critical",
        Source.PROMETHEUS,
        "none",
        "No operator holds the Lease: members hear nothing of the cluster, gated pods wait, and "
        "nobody looks for escapes or writes incidents. Protected pods deny when their states end.",
    ),
    Alert(
        Rule.ACTION_HELD,
        "High",
        Source.POD,
        "Pod",
        "An action of the model waits for people. It stays denied unless they approve it before "
        "its time ends; the incident names the hold.",
    ),
    Alert(
        Rule.DECISIONS_SPLIT,
        "Medium",
        Source.POD,
        "Pod",
        "Members contradict each other about many of a pod's actions, by verdict or by how "
        "dangerous they look: something is tried that not all judges see, or a member is not well.",
    ),
    Alert(
        Rule.MEMBERS_ERR_TOGETHER,
        "High",
        Source.POD,
        "Pod",
        "By the canaries that this pod asked, two members approve the same unsafe requests, far "
        "more often than independent judges would: they are one opinion that counts twice.",
    ),
    Alert(
        Rule.MEMBER_QUARANTINED,
        "Critical",
        Source.OPERATOR,
        "SafetyCommittee",
        "A member was convicted by what it signed and has no vote any more; n and the thresholds "
        "stay, so the committee has one less to spare until people bring it back with another key.",
    ),
    Alert(
        Rule.EVIDENCE_BEYOND_R,
        "Critical",
        Source.OPERATOR,
        "SafetyCommittee",
        "Evidence that the operator recomputed convicts a member although r are under quarantine: "
        "it keeps its vote, and more members lie than the thresholds withstand. People must act.",
    ),
    Alert(
        Rule.CANARIES_USED_UP,
        "High",
        Source.POD,
        "Pod",
        "The pod that asks canaries has none left of a kind: members that began to lie are not "
        "found any more until people commit to another deck.",
    ),
    Alert(
        Rule.REPLACEMENT_PREPARED,
        "High",
        Source.OPERATOR,
        "SafetyCommittee",
        "A spare is there for a member under quarantine, and the record that seats it waits for "
        "people: one command shows what it changes, signs it and proposes it.",
    ),
    Alert(
        Rule.STATE_AGE_HIGH,
        "Critical",
        Source.POD,
        "Pod",
        "Half of the signed state's life has passed without a newer one; told when a member is "
        "reachable again.",
    ),
    Alert(
        Rule.RECEIPT_RENEWAL_LATE,
        "Critical",
        Source.POD,
        "Pod",
        "A pod's receipt, due at 60 % of its life, was not renewed at 80 %; at its end the pod "
        "denies and is unready. Told when a member is reachable again.",
    ),
    Alert(
        Rule.CERTIFICATE_RENEWAL_LATE,
        "High",
        Source.OPERATOR,
        "AttestedModel",
        "The certificate of a served model was not renewed in time.",
    ),
    Alert(
        Rule.SERVING_CERTIFICATE_RENEWAL_LATE,
        "High",
        Source.OPERATOR,
        "Service quorate-webhook, or of a member",
        "A serving certificate that is shown to clients has less than a sixth of its life left.",
    ),
    Alert(
        Rule.FOREIGN_LISTENER,
        "Critical",
        Source.POD,
        "Pod",
        "A socket in the pod listens beyond loopback and is not the sidecar's. The sidecar is "
        "unready at once, and the operator deletes the pod.",
    ),
    Alert(
        Rule.AUDIT_LOG_NOT_WRITTEN,
        "Critical",
        Source.POD,
        "Pod",
        "The sidecar cannot write its audit log, and denies requests until it can.",
    ),
    Alert(
        Rule.MODEL_MISMATCH,
        "Critical",
        Source.POD,
        "Pod",
        "The mounted model is not the certified one: the model server is not started; or it was "
        "changed while it was served: the sidecar is unready and denies until the pod is deleted.",
    ),
    Alert(
        Rule.EXCEPTION_ACTIVE,
        "High",
        Source.OPERATOR,
        "SafetyException",
        "A requirement of a ClusterSafetyPolicy is lifted for one workload. The incident holds who "
        "approved and why, and is closed when the exception ends.",
    ),
    Alert(
        Rule.ENFORCEMENT_SUSPENDED,
        "Critical",
        Source.OPERATOR,
        "Namespace",
        "Somebody broke the glass: the namespace does not enforce until a time in its annotation. "
        "The operator makes it enforce again then, and closes the incident.",
    ),
    Alert(
        Rule.POD_ESCAPED,
        "Critical",
        Source.OPERATOR,
        "Pod",
        "A pod runs in a namespace that enforces although admission never let it: the webhook was "
        "away, the pod ran before the namespace enforced, or a hand changed it. The operator "
        "deletes it, so that its controller meets admission again.",
    ),
    Alert(
        Rule.STATIC_POD_FOUND,
        "Critical",
        Source.OPERATOR,
        "Pod",
        "A node runs a static pod in a namespace that enforces. The API server cannot refuse or "
        "delete it; the node is cordoned where the installation says so.",
    ),
    Alert(
        Rule.MANY_PODS_ESCAPED,
        "Critical",
        Source.OPERATOR,
        "Deployment quorate-operator",
        "So many pods escaped at once that not each has an incident of its own. They are deleted "
        "one after the other, slowly.",
    ),
    Alert(
        Rule.ESCAPE_SCAN_LATE,
        "Critical",
        Source.OPERATOR,
        "Deployment quorate-operator",
        "The operator has not looked at every pod of the namespaces that enforce for too long; "
        "one that escaped admission may run unseen.",
    ),
)

ENDS: Final = frozenset(
    {
        Rule.WEBHOOK_DOWN,
        Rule.WEBHOOK_WATCH_STALE,
        Rule.OPERATOR_WATCH_STALE,
        Rule.MEMBER_UNAVAILABLE,
        Rule.COMMITTEE_DEGRADED,
        Rule.JUDGES_NOT_DIVERSE,
        Rule.MEMBER_STORE_BROKEN,
        Rule.ACTION_HELD,
        Rule.DECISIONS_SPLIT,
        Rule.MEMBERS_ERR_TOGETHER,
        Rule.MEMBER_QUARANTINED,
        Rule.EVIDENCE_BEYOND_R,
        Rule.REPLACEMENT_PREPARED,
        Rule.CANARIES_USED_UP,
        Rule.STATE_AGE_HIGH,
        Rule.RECEIPT_RENEWAL_LATE,
        Rule.SERVING_CERTIFICATE_RENEWAL_LATE,
        Rule.AUDIT_LOG_NOT_WRITTEN,
        Rule.EXCEPTION_ACTIVE,
        Rule.ENFORCEMENT_SUSPENDED,
        Rule.ESCAPE_SCAN_LATE,
    }
)
"""Whose incidents the operator closes when their cause has gone. The others wait for people: what
somebody did, or may have done, has not ended because it is seen no more. OperatorDown has none."""
BY_RULE: Final = {alert.rule: alert for alert in CATALOGUE}
REPORTED: Final = tuple(alert.rule for alert in CATALOGUE if alert.source is Source.POD)
"""What a pod may report about itself, and nothing else."""
