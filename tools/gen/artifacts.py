"""Every generated file of the tree: its path and its text."""

from pathlib import Path
from typing import Any

from quorate.api.v1alpha1 import KINDS
from tools.gen import bypass_reference, matrix
from tools.gen.alert_reference import alert_reference
from tools.gen.alert_rules import rule_file, rule_template
from tools.gen.api_reference import api_reference
from tools.gen.committee_template import committee_template
from tools.gen.crd import crd
from tools.gen.injection_template import floor_template, injection_template
from tools.gen.judge_sets import judge_sets
from tools.gen.server_reference import server_reference
from tools.gen.webhook_template import webhook_template
from tools.gen.yaml_text import HEADER, dump

ROOT = Path(__file__).resolve().parents[2]
CHART = Path("charts/quorate")
HELM_HEADER = f"{{{{/* {HEADER.strip().removeprefix('# ')} */}}}}\n"
"""Of a file that renders nothing."""


def generate() -> dict[Path, str]:
    """Text by path relative to the tree. Pure: writes nothing."""
    documents = [crd(kind) for kind in KINDS]
    return {
        **_crds(documents),
        CHART / "templates/committee/_presets.tpl": HELM_HEADER + committee_template(),
        CHART / "templates/floor.yaml": HEADER + floor_template(),
        CHART / "templates/injection.yaml": HEADER + injection_template(),
        CHART / "templates/webhooks.yaml": HEADER + webhook_template(),
        CHART / "templates/prometheus-rule.yaml": HEADER + rule_template(),
        Path("core/quorate/consensus/judge_sets.json"): judge_sets(),
        Path("observability/rules/quorate.yaml"): HEADER + rule_file(),
        Path("docs/reference/alerts.md"): alert_reference(),
        Path("docs/reference/api.md"): api_reference(documents),
        Path("docs/reference/bypass-classes.md"): bypass_reference.render(ROOT),
        Path("docs/reference/servers.md"): server_reference(),
        Path("docs/reference/test-matrix.md"): matrix.render(ROOT),
    }


def _crds(documents: list[dict[str, Any]]) -> dict[Path, str]:
    files: dict[Path, str] = {}
    for document in documents:
        name = f"{document['metadata']['name']}.yaml"
        files[Path("crds") / name] = HEADER + dump(document)
        # Deleting a CRD deletes every object of its kind: that is never a side effect of uninstall.
        keep = {"annotations": {"helm.sh/resource-policy": "keep"}}
        kept = dump(document | {"metadata": document["metadata"] | keep})
        files[CHART / "templates/crds" / name] = (
            f"{HEADER}{{{{- if .Values.crds.enabled }}}}\n{kept}{{{{- end }}}}\n"
        )
    for path, text in files.items():
        if text.count("{{") != (2 if path.parts[0] == CHART.parts[0] else 0):
            raise ValueError(f"{path}: a description holds {{{{, which Helm would execute")
    return files
