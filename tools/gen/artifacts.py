"""Every generated file of the tree: its path and its text."""

from pathlib import Path

from quorate.api.v1alpha1 import KINDS
from tools.gen.crd import crd
from tools.gen.yaml_text import HEADER, dump

ROOT = Path(__file__).resolve().parents[2]
CHART = Path("charts/quorate")


def generate() -> dict[Path, str]:
    """Text by path relative to the tree. Pure: writes nothing."""
    return _crds()


def _crds() -> dict[Path, str]:
    files: dict[Path, str] = {}
    for kind in KINDS:
        document = crd(kind)
        name = f"{document['metadata']['name']}.yaml"
        files[Path("crds") / name] = HEADER + dump(document)
        metadata = document["metadata"]
        # Deleting a CRD deletes every object of its kind: that is never a side effect of uninstall.
        metadata["annotations"] = {"helm.sh/resource-policy": "keep"}
        files[CHART / "templates/crds" / name] = (
            f"{HEADER}{{{{- if .Values.crds.enabled }}}}\n{dump(document)}{{{{- end }}}}\n"
        )
    for path, text in files.items():
        if text.count("{{") != (2 if path.parts[0] == CHART.parts[0] else 0):
            raise ValueError(f"{path}: a description holds {{{{, which Helm would execute")
    return files
