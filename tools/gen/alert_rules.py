"""The alert rules: plain for any Prometheus, and as the chart's PrometheusRule.

Thresholds come from the bounds that the services themselves hold; names of metrics from
``quorate.telemetry.names``. Every alert has a page under docs/howto/runbooks.
"""

from dataclasses import dataclass
from typing import Any

from quorate import alerts, limits
from quorate.alerts import Rule as Name
from quorate.telemetry import names as metrics
from tools.gen.yaml_text import dump

RUNBOOKS = "https://quorate.dev/runbooks"
"""Serves docs/howto/runbooks; the operator's SafetyIncidents link there too."""

HALF_STATE_LIFE = str(limits.STATE_LIFE // 2)
FIFTH_RECEIPT_LIFE = str(limits.RECEIPT_LIFE // 5)
WEBHOOK_STALE_SECONDS = 90
OPERATOR_STALE_SECONDS = 120
SCAN_LATE_SECONDS = 60
"""Silence of a watch. Something comes every 60 s; the webhook gives up at 120 s, the operator at
180 s."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert of the catalogue, as Prometheus finds it."""

    name: Name
    expression: str
    lasting: str
    summary: str
    description: str


def _counted(series: str) -> str:
    """Whether a counter has grown lately. Its first sample is no increase."""
    return f"increase({series}[10m]) > 0\n  or {series} unless {series} offset 10m"


def _raised(rule: Name) -> str:
    """Whether the operator raised this alert lately."""
    return _counted(f'{metrics.OPERATOR_ALERTS.name}{{rule="{rule}"}}')


_BEYOND = f'{metrics.MEMBER_EVIDENCE.name}{{outcome="beyond"}}'
_USED_UP = f'{metrics.SIDECAR_CANARIES_STOPPED.name}{{reason="DeckUsedUp"}}'
_HALF = "@half@"
"""Stands for half of the state's life until that is known."""
_FIFTH = "@fifth@"
"""Stands for a fifth of the receipt's life: half of what is left when its renewal is due."""

RULES: tuple[Rule, ...] = (
    Rule(
        Name.WEBHOOK_DOWN,
        f"absent({metrics.WEBHOOK_OBJECTS.name})",
        "2m",
        "No webhook replica answers scrapes.",
        "Creating or changing pods in enforced namespaces is refused until one answers. "
        "Running pods go on serving.",
    ),
    Rule(
        Name.WEBHOOK_WATCH_STALE,
        f"max by (pod, kind) ({metrics.WEBHOOK_WATCH_AGE.name}) > {WEBHOOK_STALE_SECONDS}",
        "1m",
        "A webhook has heard nothing about {{ $labels.kind }} for {{ $value }} s.",
        "It refuses reviews rather than decide from old knowledge.",
    ),
    Rule(
        Name.OPERATOR_WATCH_STALE,
        f"max by (kind) ({metrics.OPERATOR_WATCH_AGE.name}) > {OPERATOR_STALE_SECONDS}",
        "1m",
        "The operator has heard nothing about {{ $labels.kind }} for {{ $value }} s.",
        "Gated pods wait, and changes of policies and models do not reach the members.",
    ),
    Rule(
        Name.MEMBER_UNAVAILABLE,
        f"{_raised(Name.MEMBER_UNAVAILABLE)}\n"
        f"  or time() - {metrics.OPERATOR_MEMBER_HEARD.name} > {_HALF}",
        "0m",
        "A member of the committee does not answer the operator.",
        "Its label or the SafetyIncident says which. Without a quorum of them certificates, states "
        "and receipts are not renewed; protected pods deny when theirs expire.",
    ),
    Rule(
        Name.COMMITTEE_DEGRADED,
        _raised(Name.COMMITTEE_DEGRADED),
        "0m",
        "The committee has no member to spare.",
        "If one more is away, certificates and receipts are not renewed. The SafetyIncident says "
        "who does not answer.",
    ),
    Rule(
        Name.JUDGES_NOT_DIVERSE,
        _raised(Name.JUDGES_NOT_DIVERSE),
        "0m",
        "Two members of the committee go by the same judges, or by such as err together.",
        "They are one opinion that counts twice. The SafetyIncident names them.",
    ),
    Rule(
        Name.MEMBER_STORE_BROKEN,
        f"{metrics.MEMBER_STORE_BROKEN.name} > 0\n  or {_raised(Name.MEMBER_STORE_BROKEN)}",
        "0m",
        "A member of the committee cannot keep its votes.",
        "It abstains from every action until it starts again, and counts as one that is down.",
    ),
    Rule(
        Name.OPERATOR_DOWN,
        f"absent({metrics.OPERATOR_LEADER.name} == 1)",
        "2m",
        "No operator holds the Lease.",
        "Members hear nothing of the cluster, gated pods wait, and nobody writes incidents. "
        "Protected pods deny when their states end.",
    ),
    Rule(
        Name.ACTION_HELD,
        _raised(Name.ACTION_HELD),
        "0m",
        "An action of a model waits for people.",
        "It stays denied unless they approve it in time. The SafetyIncident names the hold.",
    ),
    Rule(
        Name.DECISIONS_SPLIT,
        _raised(Name.DECISIONS_SPLIT),
        "0m",
        "Members contradict each other about many of a pod's actions.",
        "Something is tried that not all judges see, or a member is not well. The SafetyIncident "
        "names the pod.",
    ),
    Rule(
        Name.MEMBERS_ERR_TOGETHER,
        _raised(Name.MEMBERS_ERR_TOGETHER),
        "0m",
        "Two members of the committee are wrong about the same canaries.",
        "They are one opinion that counts twice. The SafetyIncident names them, with the figures.",
    ),
    Rule(
        Name.MEMBER_QUARANTINED,
        _raised(Name.MEMBER_QUARANTINED),
        "0m",
        "A member of the committee was convicted of lying.",
        "Its vote counts for nothing, and the committee has one less to spare. The SafetyIncident "
        "names it.",
    ),
    Rule(
        Name.EVIDENCE_BEYOND_R,
        f"{_counted(_BEYOND)}\n  or {_raised(Name.EVIDENCE_BEYOND_R)}",
        "0m",
        "Evidence convicts more members of the committee than may be under quarantine.",
        "Whoever is convicted last keeps its vote: more lie than the thresholds withstand. The "
        "SafetyIncident names it.",
    ),
    Rule(
        Name.CANARIES_USED_UP,
        f"{_counted(_USED_UP)}\n  or {_raised(Name.CANARIES_USED_UP)}",
        "0m",
        "A deck of canaries is used up.",
        "Members that begin to lie are not found by canaries until people commit to another deck.",
    ),
    Rule(
        Name.REPLACEMENT_PREPARED,
        _raised(Name.REPLACEMENT_PREPARED),
        "0m",
        "A spare waits to take the seat of a member that lied.",
        "To acknowledge it: kubectl quorate committee acknowledge --key ADMINISTRATOR.key. Nothing "
        "happens before.",
    ),
    Rule(
        Name.STATE_AGE_HIGH,
        # One that is cut off alone ages nothing: others sign.
        f"time() - max({metrics.MEMBER_HEARD.name}) > {_HALF}\n"
        f"  or {metrics.SIDECAR_STATE_EXPIRY.name} - time() < {_HALF}\n"
        f"  or {_raised(Name.STATE_AGE_HIGH)}",
        "1m",
        "Half of the signed state's life has passed without a renewal.",
        "At its end sidecars deny every request with the reason StateExpired.",
    ),
    Rule(
        Name.RECEIPT_RENEWAL_LATE,
        f"({metrics.SIDECAR_RECEIPT_EXPIRY.name} > 0) - time() < {_FIFTH}\n"
        f"  or {_raised(Name.RECEIPT_RENEWAL_LATE)}",
        "0m",
        "A pod's receipt was not renewed in time.",
        "At its end the pod is unready and denies every request with the reason ReceiptExpired.",
    ),
    Rule(
        Name.CERTIFICATE_RENEWAL_LATE,
        _raised(Name.CERTIFICATE_RENEWAL_LATE),
        "0m",
        "The certificate of a served model was not renewed in time.",
        "New pods of the model are denied once it expires. The SafetyIncident names the model.",
    ),
    Rule(
        Name.SERVING_CERTIFICATE_RENEWAL_LATE,
        f"{metrics.OPERATOR_LEAF_EXPIRY.name} - time() < 5 * 86400\n"
        f"  or {metrics.MEMBER_LEAF_EXPIRY.name} - time() < 4 * 3600",
        "10m",
        "A TLS certificate of ours was not renewed at two thirds of its life.",
        "When the webhook's expires, pods in enforced namespaces are refused; when a "
        "member's does, nobody asks it any more.",
    ),
    Rule(
        Name.FOREIGN_LISTENER,
        f"{metrics.SIDECAR_FOREIGN_LISTENERS.name} > 0\n  or {_raised(Name.FOREIGN_LISTENER)}",
        "0m",
        "A protected pod listens beyond loopback past its sidecar.",
        "The sidecar is unready, the pod gets no traffic through its Service, and the operator "
        "deletes it. The SafetyIncident names it.",
    ),
    Rule(
        Name.AUDIT_LOG_NOT_WRITTEN,
        f"increase({metrics.SIDECAR_AUDIT_FAILURES.name}[5m]) > 0\n"
        f"  or {_raised(Name.AUDIT_LOG_NOT_WRITTEN)}",
        "0m",
        "A sidecar cannot write its audit log.",
        "It denies requests until it can: nothing is released without a record.",
    ),
    Rule(
        Name.MODEL_MISMATCH,
        _raised(Name.MODEL_MISMATCH),
        "0m",
        "The model mounted in a protected pod is not the certified one.",
        "Its model server is not started. The SafetyIncident names the pod and what differs.",
    ),
    Rule(
        Name.EXCEPTION_ACTIVE,
        _raised(Name.EXCEPTION_ACTIVE),
        "0m",
        "A requirement of a ClusterSafetyPolicy was lifted for one workload.",
        "Approvers agreed to it for a few days. The SafetyIncident says who, and why.",
    ),
    Rule(
        Name.ENFORCEMENT_SUSPENDED,
        _raised(Name.ENFORCEMENT_SUSPENDED),
        "0m",
        "Somebody suspended enforcement in a namespace.",
        "Pods are created there unprotected until the time in its annotation.",
    ),
    Rule(
        Name.POD_ESCAPED,
        f'{metrics.OPERATOR_ESCAPES.name}{{rule="{Name.POD_ESCAPED}"}} > 0\n'
        f"  or {_raised(Name.POD_ESCAPED)}",
        "0m",
        "A pod runs in an enforcing namespace that admission never let run.",
        "The operator deletes it. The SafetyIncident names it and says what admission would have "
        "refused.",
    ),
    Rule(
        Name.STATIC_POD_FOUND,
        f'{metrics.OPERATOR_ESCAPES.name}{{rule="{Name.STATIC_POD_FOUND}"}} > 0\n'
        f"  or {_raised(Name.STATIC_POD_FOUND)}",
        "0m",
        "A node runs a static pod in an enforcing namespace.",
        "Nothing in the cluster can stop it. The SafetyIncident names the node.",
    ),
    Rule(
        Name.MANY_PODS_ESCAPED,
        _raised(Name.MANY_PODS_ESCAPED),
        "0m",
        "Many pods of enforcing namespaces escaped admission at once.",
        "They are deleted one after the other. See whether webhook and floor are in place, or "
        "whether a namespace with running pods was just labelled.",
    ),
    Rule(
        Name.ESCAPE_SCAN_LATE,
        f"time() - ({metrics.OPERATOR_ESCAPE_SCAN.name} > 0) > {SCAN_LATE_SECONDS}\n"
        f"  or {_raised(Name.ESCAPE_SCAN_LATE)}",
        "1m",
        "The pods of enforcing namespaces were not all looked at lately.",
        "A pod that escaped admission may run unseen.",
    ),
)

_SEVERITY: dict[alerts.Severity, str] = {
    "Critical": "critical",
    "High": "warning",
    "Medium": "info",
}
"""Prometheus' customary words for ours."""


def rule_group(
    half_state_life: str = HALF_STATE_LIFE, fifth_receipt_life: str = FIFTH_RECEIPT_LIFE
) -> dict[str, Any]:
    """The rules as Prometheus reads them; the lives in seconds, or Helm expressions."""
    return {
        "groups": [
            {
                "name": "quorate",
                "rules": [
                    {
                        "alert": rule.name.value,
                        "expr": rule.expression.replace(_HALF, half_state_life).replace(
                            _FIFTH, fifth_receipt_life
                        ),
                        "for": rule.lasting,
                        "labels": {"severity": _SEVERITY[alerts.BY_RULE[rule.name].severity]},
                        "annotations": {
                            "summary": rule.summary,
                            "description": rule.description,
                            "runbook_url": f"{RUNBOOKS}/{rule.name.lower()}",
                        },
                    }
                    for rule in RULES
                ],
            }
        ]
    }


def rule_file() -> str:
    """observability/rules/quorate.yaml."""
    return dump(rule_group(), width=10_000)


def rule_template() -> str:
    """The chart's PrometheusRule. Prometheus' own braces are kept from Helm."""
    spec = dump(rule_group(_HALF, _FIFTH), width=10_000).replace("{{", '{{ "{{" }}')
    spec = spec.replace(_HALF, "{{ div .Values.member.stateLifeSeconds 2 }}")
    spec = spec.replace(_FIFTH, "{{ div .Values.member.receiptLifeSeconds 5 }}")
    indented = "".join(f"  {line}\n" for line in spec.splitlines())
    return f"""{{{{- if .Values.metrics.prometheusRule.enabled }}}}
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: quorate
  namespace: quorate-system
  labels:
    {{{{- include "quorate.labels" . | nindent 4 }}}}
    {{{{- with .Values.metrics.prometheusRule.labels }}}}
    {{{{- toYaml . | nindent 4 }}}}
    {{{{- end }}}}
spec:
{indented}{{{{- end }}}}
"""
