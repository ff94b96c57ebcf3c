"""CustomResourceDefinitions: names, columns, conditions; and the files made from them."""

from pathlib import Path

import pytest
import yaml

from quorate import names
from quorate.api.v1alpha1 import KINDS
from quorate.api.v1alpha1.meta import Resource
from tools.gen.artifacts import CHART, ROOT, generate
from tools.gen.crd import crd

BUILT_IN = {
    *("cm", "cs", "csr", "deploy", "ds", "ep", "ev", "hpa", "ing", "limits", "netpol", "no", "ns"),
    *("pc", "pdb", "po", "pv", "pvc", "quota", "rc", "rs", "sa", "sc", "sts", "svc", "cj", "crd"),
}

Files = dict[Path, str]

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind_name)


@pytest.fixture(scope="module")
def files() -> Files:
    """What is generated: the same for every test, as one of them shows."""
    return generate()


@pytest.mark.requirement("CRDs: category quorate, short names")
@each_kind
def test_names_do_not_collide(kind: type[Resource]) -> None:
    """Own category, never ``all``; short names that Kubernetes does not use itself."""
    found = crd(kind)["spec"]["names"]
    assert found["categories"] == ["quorate"]
    assert not BUILT_IN & set(found["shortNames"])
    shorts = [name for other in KINDS for name in other.short_names]
    assert len(shorts) == len(set(shorts))


@pytest.mark.requirement("CRDs: conditions")
@each_kind
def test_status_has_conditions_and_no_phase(kind: type[Resource]) -> None:
    """Conditions are a map by type with reason and observed generation; there is no phase."""
    status = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    conditions = status["properties"]["conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert {"type", "status", "reason", "lastTransitionTime", "message"} <= set(
        conditions["items"]["required"]
    )
    assert "observedGeneration" in conditions["items"]["properties"]
    assert "phase" not in status["properties"]


@pytest.mark.requirement("CRDs: printer columns")
@each_kind
def test_columns_end_with_age_on_a_normal_screen(kind: type[Resource]) -> None:
    """Age is shown, and wide columns come after it."""
    columns = crd(kind)["spec"]["versions"][0]["additionalPrinterColumns"]
    narrow = [column["name"] for column in columns if not column.get("priority")]
    assert narrow[-1] == "Age"


@each_kind
def test_one_version_is_served_and_stored(kind: type[Resource]) -> None:
    """v1alpha1, served and stored, with a status subresource."""
    (version,) = crd(kind)["spec"]["versions"]
    assert (version["name"], version["served"], version["storage"]) == (names.VERSION, True, True)
    assert version["subresources"] == {"status": {}}


@pytest.mark.requirement("drift of generated files fails the check")
def test_generated_files_are_up_to_date(files: Files) -> None:
    """What is in the tree is what the generator writes."""
    differing = [
        str(path)
        for path, text in files.items()
        if not (ROOT / path).exists() or (ROOT / path).read_text("utf-8") != text
    ]
    assert differing == []


def test_generated_twice_is_the_same(files: Files) -> None:
    """No order of a set, no time, no randomness reaches a generated file."""
    assert generate() == files


@pytest.mark.requirement("CRDs are kept when the chart is uninstalled")
@each_kind
def test_the_charts_crd_is_the_plain_one_and_kept(kind: type[Resource], files: Files) -> None:
    """The chart's copy differs from crds/ by the resource policy alone."""
    name = f"{kind.plural}.{names.GROUP}.yaml"
    plain = yaml.safe_load(files[Path("crds", name)])
    template = files[CHART / "templates" / "crds" / name]
    assert template.splitlines()[1] == "{{- if .Values.crds.enabled }}"
    charted = yaml.safe_load("\n".join(template.splitlines()[2:-1]))
    assert charted["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert charted == plain


def test_every_field_is_in_the_reference(files: Files) -> None:
    """docs/reference/api.md has a row for each field of each kind."""
    reference = next(text for path, text in files.items() if path.name == "api.md")
    for kind in KINDS:
        assert f"## {kind.kind_name}\n" in reference
    for path in (
        "spec.model.signers.keys[].publicKey",
        "spec.exemptImages[].reason",
        "spec.selector.matchExpressions[].operator",
        "status.certificates[].envelope",
        "spec.resolution.outcome",
    ):
        assert f"| `{path}` |" in reference
