"""Every metric's name, meaning and labels, in one place: dashboards and alerts hold on to them.

Names carry the prefix ``quorate_``, base units, and ``_total`` on counters. Labels are bounded
sets written next to the metric: never a user, a prompt, a pod or anything a client can choose.
"""

from dataclasses import dataclass
from typing import Final, Literal

PREFIX: Final = "quorate_"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. ``buckets`` in the metric's unit, for histograms only."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)

# Sidecar --------------------------------------------------------------------------------------
SIDECAR_REQUESTS: Final = Metric(
    "quorate_sidecar_requests_total",
    "counter",
    "Requests by path, outcome (released, denied, interrupted, failed) and refusal code.",
    ("path", "outcome", "code"),
)
SIDECAR_OVERHEAD: Final = Metric(
    "quorate_sidecar_overhead_seconds",
    "histogram",
    "Time the sidecar adds to a request that is not streamed: total less the model server's.",
    ("path",),
    _SECONDS,
)
SIDECAR_DURATION: Final = Metric(
    "quorate_sidecar_request_seconds",
    "histogram",
    "Time from a request's headers to the last byte of its answer.",
    ("path",),
    _SECONDS,
)
SIDECAR_FINDINGS: Final = Metric(
    "quorate_sidecar_findings_total",
    "counter",
    "Findings of content checks, by check, direction (request, answer) and action.",
    ("check", "direction", "action"),
)
SIDECAR_IN_FLIGHT: Final = Metric(
    "quorate_sidecar_requests_in_flight", "gauge", "Requests being served now."
)
SIDECAR_CONNECTIONS: Final = Metric(
    "quorate_sidecar_connections", "gauge", "Client connections open now."
)
SIDECAR_STREAM_EVENTS: Final = Metric(
    "quorate_sidecar_stream_events_total", "counter", "Events read from streamed answers."
)
SIDECAR_AUDIT_RECORDS: Final = Metric(
    "quorate_sidecar_audit_records_total",
    "counter",
    "Records appended to the audit log.",
    ("kind",),
)
SIDECAR_AUDIT_FAILURES: Final = Metric(
    "quorate_sidecar_audit_failures_total",
    "counter",
    "Audit records that could not be written. Requests are denied until one can.",
)
SIDECAR_STATE_EXPIRY: Final = Metric(
    "quorate_sidecar_state_expires_timestamp_seconds",
    "gauge",
    "When the signed state expires and requests are denied, in Unix time; 0 if there is none.",
)
SIDECAR_RECEIPT_EXPIRY: Final = Metric(
    "quorate_sidecar_receipt_expires_timestamp_seconds",
    "gauge",
    "When the pod's receipt expires and requests are denied, in Unix time; 0 if there is none, or "
    "the committee denies the pod.",
)
SIDECAR_RECEIPTS: Final = Metric(
    "quorate_sidecar_receipts_total",
    "counter",
    "Requests for a receipt, by outcome (taken, denied, invalid, unanswered).",
    ("outcome",),
)
SIDECAR_READY: Final = Metric(
    "quorate_sidecar_ready", "gauge", "1 if the sidecar is ready, 0 during a local lapse."
)
SIDECAR_FOREIGN_LISTENERS: Final = Metric(
    "quorate_sidecar_foreign_listeners",
    "gauge",
    "Sockets in the pod that listen beyond loopback and are not the sidecar's.",
)
SIDECAR_MEASURE_SECONDS: Final = Metric(
    "quorate_sidecar_measure_seconds", "gauge", "Time the last measurement of the model took."
)
SIDECAR_MODEL_HASHED: Final = Metric(
    "quorate_sidecar_model_hashed_timestamp_seconds",
    "gauge",
    "When every byte of the model was last found to be as certified; 0 before the watch began.",
)
SIDECAR_MODEL_CHANGED: Final = Metric(
    "quorate_sidecar_model_changed",
    "gauge",
    "1 once the model is not what was measured; the pod denies until it is deleted.",
)

SIDECAR_ACTIONS: Final = Metric(
    "quorate_sidecar_actions_total",
    "counter",
    "Actions decided about, by band, decision (approve, deny, hold) and cause.",
    ("band", "decision", "cause"),
)
SIDECAR_ACTION_SECONDS: Final = Metric(
    "quorate_sidecar_action_seconds",
    "histogram",
    "Time from an action's last byte to its decision, by who decided (sidecar, fast, strict).",
    ("decided_by",),
    _SECONDS,
)
SIDECAR_VOTES: Final = Metric(
    "quorate_sidecar_votes_total",
    "counter",
    "Answers of members to asks, in time or late: approve, deny, abstained, invalid.",
    ("answer",),
)
SIDECAR_CONTESTED: Final = Metric(
    "quorate_sidecar_contested_asks_total",
    "counter",
    "Asks about which members contradicted each other: by verdict, or by score alone.",
    ("how",),
)
SIDECAR_HOLDS: Final = Metric(
    "quorate_sidecar_holds", "gauge", "Actions that wait for people, or that they decided about."
)
SIDECAR_FREEZES: Final = Metric(
    "quorate_sidecar_freezes", "gauge", "Freezes in force, as far as members told of them."
)

SIDECAR_CANARIES: Final = Metric(
    "quorate_sidecar_canary_answers_total",
    "counter",
    "Answers to canaries, by member, stratum and answer (right, wrong, void: wrong without "
    "counting, none). Of members whose vote counts.",
    ("member", "stratum", "answer"),
)
SIDECAR_SHADOW: Final = Metric(
    "quorate_sidecar_shadow_answers_total",
    "counter",
    "Answers of members under quarantine to canaries, by member, kind (unsafe, safe) and answer "
    "(right, wrong, none: no verdict in time). They count for nothing.",
    ("member", "kind", "answer"),
)
SIDECAR_CANARIES_LEFT: Final = Metric(
    "quorate_sidecar_canaries_left", "gauge", "Canaries of the pod's deck that were not asked yet."
)
SIDECAR_CANARIES_STOPPED: Final = Metric(
    "quorate_sidecar_canaries_stopped_total",
    "counter",
    "Looks at the deck after which no canary was asked, or nothing came of it, by reason.",
    ("reason",),
)
SIDECAR_ACCUSATIONS: Final = Metric(
    "quorate_sidecar_accusations_total",
    "counter",
    "Members that this pod holds evidence against, once an epoch, by member and kind of evidence "
    "(equivocation, canaries).",
    ("member", "kind"),
)

# Member ---------------------------------------------------------------------------------------
MEMBER_REQUESTS: Final = Metric(
    "quorate_member_requests_total",
    "counter",
    "Requests answered, by route and HTTP status.",
    ("route", "status"),
)
MEMBER_JUDGEMENTS: Final = Metric(
    "quorate_member_judgements_total",
    "counter",
    "Judgements of a model under a policy, by outcome (certified, denied).",
    ("outcome",),
)
MEMBER_JUDGE_SECONDS: Final = Metric(
    "quorate_member_judge_seconds",
    "histogram",
    "CPU time of one judgement on its worker.",
    (),
    _SECONDS,
)
MEMBER_REVOCATIONS: Final = Metric(
    "quorate_member_revocations_total",
    "counter",
    "Certificates revoked before they expired, because their requirements no longer hold.",
)
MEMBER_RELAYED_CERTIFICATES: Final = Metric(
    "quorate_member_relayed_certificates_total",
    "counter",
    "Certificates relayed by the operator that the member looked at, by outcome (verified, "
    "refused). While it has verified none for a model, its pods hear neither yes nor no from it.",
    ("outcome",),
)
MEMBER_RECEIPTS: Final = Metric(
    "quorate_member_receipts_total",
    "counter",
    "Requests for a pod's receipt, by outcome (issued, denied) and reason of the denial.",
    ("outcome", "reason"),
)
MEMBER_ASKS: Final = Metric(
    "quorate_member_asks_total",
    "counter",
    "Asks of sidecars, by outcome (approved, denied, abstained, refused) and the reason of an "
    "abstention or refusal; what is shed is abstained from.",
    ("outcome", "reason"),
)
MEMBER_VOTE_SECONDS: Final = Metric(
    "quorate_member_vote_judge_seconds",
    "histogram",
    "Time from a request to the judgement of all judges together, by verdict (approve, deny).",
    ("verdict",),
    _SECONDS,
)
MEMBER_OPINION_SECONDS: Final = Metric(
    "quorate_member_opinion_seconds",
    "histogram",
    "Time that one judge took for a request, by judge and verdict (approve, deny).",
    ("judge", "verdict"),
    _SECONDS,
)
MEMBER_STORE_SECONDS: Final = Metric(
    "quorate_member_store_seconds",
    "histogram",
    "Time to write a group of votes and to be certain that they are on disk.",
    (),
    _SECONDS,
)
MEMBER_STORE_BROKEN: Final = Metric(
    "quorate_member_store_broken",
    "gauge",
    "1 once the disk refused a vote: the member abstains from everything until it starts again.",
)
MEMBER_FREEZES: Final = Metric(
    "quorate_member_freezes", "gauge", "Freezes that are in force as far as the member heard."
)
MEMBER_EPOCH: Final = Metric(
    "quorate_member_epoch_number", "gauge", "Number of the newest epoch that the member knows."
)
MEMBER_PROPOSALS: Final = Metric(
    "quorate_member_epoch_proposals_total",
    "counter",
    "Epoch records that the member was asked to sign, by outcome (endorsed, declined) and the "
    "reason why not.",
    ("outcome", "reason"),
)
MEMBER_EVIDENCE: Final = Metric(
    "quorate_member_evidence_total",
    "counter",
    "Evidence against members that pods showed, by outcome (kept, beyond: kept while r are under "
    "quarantine already, known, refuted, refused).",
    ("outcome",),
)
MEMBER_HEARD: Final = Metric(
    "quorate_member_operator_heard_timestamp_seconds",
    "gauge",
    "When the operator last said what the cluster holds, in Unix time; 0 if it never did. "
    "States expire one state life after it.",
)
MEMBER_OBJECTS: Final = Metric(
    "quorate_member_observed_objects",
    "gauge",
    "Objects the member knows, by kind (policies, models, pods).",
    ("kind",),
)
MEMBER_REPORTS: Final = Metric(
    "quorate_member_reporting_pods",
    "gauge",
    "Pods that report of themselves that an alert's rule holds now, by rule.",
    ("rule",),
)
MEMBER_LEAF_EXPIRY: Final = Metric(
    "quorate_member_tls_expires_timestamp_seconds",
    "gauge",
    "When the TLS certificate being served expires, in Unix time.",
)

# Operator -------------------------------------------------------------------------------------
OPERATOR_LEADER: Final = Metric(
    "quorate_operator_lease_held", "gauge", "1 while this process holds the operator's Lease."
)
OPERATOR_WATCH_AGE: Final = Metric(
    "quorate_operator_watch_last_event_age_seconds",
    "gauge",
    "Time since the API server last sent anything (an event or a bookmark) about a kind.",
    ("kind",),
)
OPERATOR_QUEUE: Final = Metric(
    "quorate_operator_queue_keys",
    "gauge",
    "Keys that wait or are being worked on, by queue (policies, models, pods).",
    ("queue",),
)
OPERATOR_RECONCILES: Final = Metric(
    "quorate_operator_reconciles_total",
    "counter",
    "Looks at one object, by queue and outcome (done, failed).",
    ("queue", "outcome"),
)
OPERATOR_RECONCILE_SECONDS: Final = Metric(
    "quorate_operator_reconcile_seconds",
    "histogram",
    "Time of one look at one object, calls included.",
    ("queue",),
    _SECONDS,
)
OPERATOR_EVALUATIONS: Final = Metric(
    "quorate_operator_evaluations_total",
    "counter",
    "Questions to the members about a model under a policy, by outcome (certified, denied, "
    "unanswered).",
    ("outcome",),
)
OPERATOR_SOURCE_READINGS: Final = Metric(
    "quorate_operator_source_readings_total",
    "counter",
    "Readings of sources of signatures and evidence, by kind (configMap, ociReferrers) and "
    "outcome (read, failed).",
    ("kind", "outcome"),
)
OPERATOR_MEMBER_HEARD: Final = Metric(
    "quorate_operator_member_heard_timestamp_seconds",
    "gauge",
    "When a member last acknowledged what the cluster holds, in Unix time; 0 if it never did.",
    ("member",),
)
OPERATOR_RELAY_PENDING: Final = Metric(
    "quorate_operator_relay_pending_objects",
    "gauge",
    "Objects a member has not heard of yet.",
    ("member",),
)
OPERATOR_RELEASED: Final = Metric(
    "quorate_operator_gates_released_total", "counter", "Scheduling gates removed."
)
OPERATOR_RELEASE_SECONDS: Final = Metric(
    "quorate_operator_gate_release_seconds",
    "histogram",
    "Time from a pod's creation to the removal of its scheduling gate.",
    (),
    (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800),
)
OPERATOR_HELD: Final = Metric(
    "quorate_operator_pods_held_total",
    "counter",
    "Looks at a gated pod that ended without its release, by the reason of the denial.",
    ("reason",),
)
OPERATOR_EVENTS: Final = Metric(
    "quorate_operator_events_total",
    "counter",
    "Kubernetes Events, by outcome (written, repeated, suppressed, failed).",
    ("outcome",),
)
OPERATOR_ALERTS: Final = Metric(
    "quorate_alerts_total",
    "counter",
    "Alerts raised, by rule and severity. Each also is a SafetyIncident and an Event.",
    ("rule", "severity"),
)
OPERATOR_REMOVALS: Final = Metric(
    "quorate_operator_pods_removed_total",
    "counter",
    "Pods with a foreign listener, or that escaped admission, that were deleted; or left unready "
    "because too many were.",
    ("outcome",),
)
OPERATOR_ESCAPES: Final = Metric(
    "quorate_operator_escaped_pods",
    "gauge",
    "Pods of enforcing namespaces that the last look found to have escaped admission, by rule.",
    ("rule",),
)
OPERATOR_ESCAPE_SCAN: Final = Metric(
    "quorate_operator_escape_scan_timestamp_seconds",
    "gauge",
    "When a look at every pod of every enforcing namespace last ended, in Unix time.",
)
OPERATOR_ESCAPE_SCAN_SECONDS: Final = Metric(
    "quorate_operator_escape_scan_seconds",
    "histogram",
    "Time a look at every pod of every enforcing namespace took.",
    (),
    _SECONDS,
)
OPERATOR_LEAF_EXPIRY: Final = Metric(
    "quorate_operator_webhook_tls_expires_timestamp_seconds",
    "gauge",
    "When the webhook's serving certificate expires, in Unix time; 0 if it could not be read.",
)

# Webhook --------------------------------------------------------------------------------------
WEBHOOK_REVIEWS: Final = Metric(
    "quorate_webhook_reviews_total",
    "counter",
    "Reviews answered, by path, decision (allowed, denied, patched) and first reason.",
    ("path", "decision", "reason"),
)
WEBHOOK_REVIEW_SECONDS: Final = Metric(
    "quorate_webhook_review_seconds",
    "histogram",
    "Time from a review's headers to its answer, by path.",
    ("path",),
    _SECONDS,
)
WEBHOOK_OBJECTS: Final = Metric(
    "quorate_webhook_cache_objects", "gauge", "Objects the webhook knows, by kind.", ("kind",)
)
WEBHOOK_WATCH_AGE: Final = Metric(
    "quorate_webhook_watch_last_event_age_seconds",
    "gauge",
    "Time since the API server last answered anything about a kind. Beyond the bound: DENY.",
    ("kind",),
)
WEBHOOK_WATCH_FAILURES: Final = Metric(
    "quorate_webhook_watch_failures_total",
    "counter",
    "Lists and watches that failed and were begun again, by kind.",
    ("kind",),
)
WEBHOOK_REFUSED_OBJECTS: Final = Metric(
    "quorate_webhook_refused_objects_total",
    "counter",
    "Objects that could not be taken in, by kind: what depends on them is denied.",
    ("kind",),
)
