"""The alert rules: plain for any Prometheus, and as the chart's PrometheusRule.

Thresholds come from the bounds that the services themselves hold; names of metrics from
``quorate.telemetry.names``. Every alert has a page under docs/howto/runbooks.
"""

from dataclasses import dataclass
from typing import Any

from quorate import limits
from quorate.telemetry import names as metrics
from tools.gen.yaml_text import dump

RUNBOOKS = "https://quorate.dev/runbooks"
"""Serves docs/howto/runbooks; the operator's SafetyIncidents link there too."""

HALF_STATE_LIFE = str(limits.STATE_LIFE // 2)
WEBHOOK_STALE_SECONDS = 90
OPERATOR_STALE_SECONDS = 120
"""Silence of a watch. Something comes every 60 s; the webhook gives up at 120 s, the operator at
180 s."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert."""

    name: str
    severity: str
    expression: str
    lasting: str
    summary: str
    description: str


def _raised(rule: str) -> str:
    """Whether the operator raised this alert lately. A counter's first sample is no increase."""
    series = f'{metrics.OPERATOR_ALERTS.name}{{rule="{rule}"}}'
    return f"increase({series}[10m]) > 0\n  or {series} unless {series} offset 10m"


_HALF = "@half@"
"""Stands for half of the state's life until that is known."""

RULES: tuple[Rule, ...] = (
    Rule(
        "WebhookDown",
        "critical",
        f"absent({metrics.WEBHOOK_OBJECTS.name})",
        "2m",
        "No webhook replica answers scrapes.",
        "Creating or changing pods in enforced namespaces is refused until one answers. "
        "Running pods go on serving.",
    ),
    Rule(
        "WebhookWatchStale",
        "critical",
        f"max by (pod, kind) ({metrics.WEBHOOK_WATCH_AGE.name}) > {WEBHOOK_STALE_SECONDS}",
        "1m",
        "A webhook has heard nothing about {{ $labels.kind }} for {{ $value }} s.",
        "It refuses reviews rather than decide from old knowledge.",
    ),
    Rule(
        "OperatorWatchStale",
        "critical",
        f"max by (kind) ({metrics.OPERATOR_WATCH_AGE.name}) > {OPERATOR_STALE_SECONDS}",
        "1m",
        "The operator has heard nothing about {{ $labels.kind }} for {{ $value }} s.",
        "Gated pods wait, and changes of policies and models do not reach the member.",
    ),
    Rule(
        "MemberUnavailable",
        "critical",
        f"{_raised('MemberUnavailable')}\n"
        f"  or time() - {metrics.OPERATOR_MEMBER_HEARD.name} > {_HALF}",
        "0m",
        "The member does not answer the operator.",
        "Certificates and states are not renewed; protected pods deny when theirs expire.",
    ),
    Rule(
        "StateAgeHigh",
        "critical",
        f"time() - {metrics.MEMBER_HEARD.name} > {_HALF}\n"
        f"  or {metrics.SIDECAR_STATE_EXPIRY.name} - time() < {_HALF}",
        "1m",
        "Half of the signed state's life has passed without a renewal.",
        "At its end sidecars deny every request with the reason StateExpired.",
    ),
    Rule(
        "CertificateRenewalLate",
        "warning",
        _raised("CertificateRenewalLate"),
        "0m",
        "The certificate of a served model was not renewed in time.",
        "New pods of the model are denied once it expires. The SafetyIncident names the model.",
    ),
    Rule(
        "ServingCertificateRenewalLate",
        "warning",
        f"{metrics.OPERATOR_LEAF_EXPIRY.name} - time() < 5 * 86400\n"
        f"  or {metrics.MEMBER_LEAF_EXPIRY.name} - time() < 4 * 3600",
        "10m",
        "A TLS certificate of ours was not renewed at two thirds of its life.",
        "When the webhook's expires, pods in enforced namespaces are refused; when the "
        "member's does, states are not renewed.",
    ),
    Rule(
        "ForeignListener",
        "critical",
        f"{metrics.SIDECAR_FOREIGN_LISTENERS.name} > 0",
        "0m",
        "A protected pod listens beyond loopback past its sidecar.",
        "The sidecar is unready and the pod gets no traffic through its Service.",
    ),
    Rule(
        "AuditLogNotWritten",
        "critical",
        f"increase({metrics.SIDECAR_AUDIT_FAILURES.name}[5m]) > 0",
        "0m",
        "A sidecar cannot write its audit log.",
        "It denies requests until it can: nothing is released without a record.",
    ),
)


def rule_group(half_state_life: str = HALF_STATE_LIFE) -> dict[str, Any]:
    """The rules as Prometheus reads them; ``half_state_life`` in seconds, or a Helm expression."""
    return {
        "groups": [
            {
                "name": "quorate",
                "rules": [
                    {
                        "alert": rule.name,
                        "expr": rule.expression.replace(_HALF, half_state_life),
                        "for": rule.lasting,
                        "labels": {"severity": rule.severity},
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
    spec = dump(rule_group(_HALF), width=10_000).replace("{{", '{{ "{{" }}')
    spec = spec.replace(_HALF, "{{ div .Values.member.stateLifeSeconds 2 }}")
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
