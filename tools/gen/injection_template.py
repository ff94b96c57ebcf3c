"""The chart's floor and injection: core/quorate/admission with Helm expressions for values.

Both are made from one configuration, so what mutate injects and what the floor compares with come
from the same values. The expressions stand inside CEL and JSON strings without being escaped;
``values.schema.json`` holds the values to characters that need no escaping, and quantities to the
spelling that the API server gives back.
"""

from typing import Any

from quorate import names
from quorate.admission.audit_storage import AuditStorage
from quorate.admission.floor import FloorConfig, policies
from quorate.admission.injection import InjectionConfig, Resources
from tools.gen.yaml_text import dump


def _value(path: str) -> str:
    return f"{{{{ .Values.{path} }}}}"


def _resources(path: str) -> Resources:
    return Resources(cpu=_value(f"{path}.cpu"), memory=_value(f"{path}.memory"))


class HelmStorage(AuditStorage, frozen=True):
    """Storage whose kind Helm decides: a claim if one is named."""

    @property
    def source(self) -> dict[str, Any]:
        """Both kinds at once: they differ in three words."""
        kind = _ternary("persistentVolumeClaim", "emptyDir")
        field = _ternary("claimName", "sizeLimit")
        return {kind: {field: _value(f"{_CLAIM} | default .Values.{_SIZE}")}}


_CLAIM, _SIZE = "injection.audit.persistentVolumeClaim", "injection.audit.sizeLimit"


def _ternary(with_claim: str, without: str) -> str:
    return f'{{{{ ternary "{with_claim}" "{without}" (ne .Values.{_CLAIM} "") }}}}'


def helm_config() -> FloorConfig:
    """The floor's configuration with Helm expressions where an installation may differ."""
    injection = InjectionConfig(
        image=_value("images.sidecar"),
        genesis_digest="",
        member_url=names.MEMBER_URL,
        measure_resources=_resources("injection.measureResources"),
        sidecar_resources=_resources("injection.sidecarResources"),
        drain_seconds=0,
        audit=HelmStorage(_value(_SIZE), _value(_CLAIM)),
    )
    return FloorConfig(
        injection=injection,
        previous_image=_value("images.previousSidecar | default .Values.images.sidecar"),
        deny_unselected=_value("floor.denyUnselected"),
    )


LABELS = '{{- include "quorate.labels" . | nindent 4 }}'


def floor_template() -> str:
    """The admission policies and their bindings as one Helm template."""
    # Folding would break a Helm expression over two lines.
    documents = (dump(document, width=10_000) for document in policies(helm_config()))
    return "---\n".join(
        text.replace("metadata:\n", f"metadata:\n  labels:\n    {LABELS}\n", 1)
        for text in documents
    )


def injection_template() -> str:
    """The ConfigMap from which webhook and operator learn what is injected."""
    config = helm_config()
    current = _document(config.injection.image, config)
    previous = _document(_value("images.previousSidecar"), config)
    return f"""apiVersion: v1
kind: ConfigMap
metadata:
  name: quorate-injection
  namespace: {names.NAMESPACE}
  labels:
    {LABELS}
data:
  injection.json: |
{current}
  {{{{- if .Values.images.previousSidecar }}}}
  # What the release before injected: its pods still pass.
  previous.json: |
{previous}
  {{{{- end }}}}
"""


def _document(image: str, config: FloorConfig) -> str:
    injection = config.injection
    lines = (
        "{",
        f'  "image": "{image}",',
        f'  "memberUrl": "{injection.member_url}",',
        f'  "measureResources": {_json(injection.measure_resources)},',
        f'  "sidecarResources": {_json(injection.sidecar_resources)},',
        f'  "drainSeconds": {_value("injection.drainSeconds")},',
        f'  "audit": {_storage(injection.audit)}',
        "}",
    )
    return "\n".join(f"    {line}" for line in lines)


def _storage(audit: AuditStorage) -> str:
    claim = f'"persistentVolumeClaim": "{audit.persistent_volume_claim}"'
    return f'{{"sizeLimit": "{audit.size_limit}", {claim}}}'


def _json(resources: Resources) -> str:
    return f'{{"cpu": "{resources.cpu}", "memory": "{resources.memory}"}}'
