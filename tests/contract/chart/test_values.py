"""The values: described, bounded, and refused with the place if they are wrong."""

from collections.abc import Iterator
from typing import Any

import pytest

from quorate import limits
from tests.contract.chart.rendered import CHART, defaults, helm, schema

pytestmark = pytest.mark.cluster


def walk(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of a schema."""
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}")


@pytest.mark.requirement("values.schema.json: additionalProperties false, descriptions, minimums")
def test_every_value_is_described_and_bounded() -> None:
    """Objects are closed, each value says what it is, each number has a least and a most."""
    for path, node in walk(schema()):
        assert node.get("description"), path
        if node.get("properties"):
            assert node["additionalProperties"] is False, path
        if node["type"] == "integer":
            assert "minimum" in node, path
            assert "maximum" in node, path
        if node["type"] == "array":
            assert "maxItems" in node, path


def keys(values: Any, path: str = "") -> Iterator[str]:
    """Paths of all values."""
    if isinstance(values, dict):
        for name, child in values.items():
            yield f"{path}.{name}"
            yield from keys(child, f"{path}.{name}")


def test_schema_and_values_name_the_same() -> None:
    """Nothing is in values.yaml that the schema does not know; what it leaves out is required."""
    known = {path for path, _ in walk(schema())}
    shipped = set(keys(defaults()))
    free = (".resources.", ".labels", "selector")
    assert {path for path in shipped - known if not any(part in path for part in free)} == set()
    left_out = {path for path in known - shipped if path and not any(p in path for p in free)}
    required = {f".images.{name}" for name in schema()["properties"]["images"]["required"]}
    assert left_out - {".global"} == required


@pytest.mark.requirement("expiries are chart values with minimums")
def test_lives_stay_inside_the_projects_bounds() -> None:
    """No value can make a certificate or a state live longer than the library lets it."""
    member = schema()["properties"]["member"]["properties"]
    assert member["certificateLifeSeconds"]["maximum"] == limits.CERTIFICATE_LIFE
    assert member["stateLifeSeconds"]["maximum"] == limits.STATE_LIFE
    assert member["certificateLifeSeconds"]["minimum"] <= limits.CERTIFICATE_LIFE // 10
    assert member["stateLifeSeconds"]["minimum"] <= limits.STATE_LIFE // 10


BAD = {
    'images.sidecar="registry.example.test/sidecar:latest"': "/images/sidecar",
    "images.webhook=\"x' || true || '@sha256:" + "0" * 64 + '"': "/images/webhook",
    "member.stateLifeSeconds=5": "/member/stateLifeSeconds",
    "member.stateLifeSeconds=601": "/member/stateLifeSeconds",
    "member.certificateLifeSeconds=86400": "/member/certificateLifeSeconds",
    "webhook.replicas=0": "/webhook/replicas",
    'injection.sidecarResources.memory="1024Mi"': "/injection/sidecarResources/memory",
    'injection.sidecarResources.cpu="0.25"': "/injection/sidecarResources/cpu",
    'injection.sidecarResources.cpu="1000m"': "/injection/sidecarResources/cpu",
    "injection.drainSeconds=601": "/injection/drainSeconds",
    'logLevel="loud"': "/logLevel",
    "sidecars.more=1": "sidecars",
    "member.stateLife=60": "stateLife",
    'floor.denyUnselected="true || true"': "/floor/denyUnselected",
}


@pytest.mark.requirement("values.schema.json refuses what is wrong")
@pytest.mark.parametrize("setting", BAD)
def test_wrong_values_are_refused_and_named(setting: str) -> None:
    """Helm stops before anything is sent, and says which value it is."""
    done = helm("template", "quorate", str(CHART), "--set-json", setting)
    assert done.returncode != 0
    assert BAD[setting] in done.stderr


def test_images_have_no_defaults() -> None:
    """Without them Helm says which are missing."""
    done = helm("template", "quorate", str(CHART), "--set-json", "images={}")
    assert done.returncode != 0
    assert "missing properties 'operator', 'webhook', 'member', 'sidecar'" in done.stderr


@pytest.mark.requirement("the release belongs in quorate-system")
def test_another_namespace_is_refused() -> None:
    """The floor trusts identities by the namespace's name, so it is the only one."""
    done = helm("template", "quorate", str(CHART), namespace="elsewhere")
    assert done.returncode != 0
    assert "add --namespace quorate-system" in done.stderr


@pytest.mark.requirement("kubeVersion")
def test_old_clusters_are_refused() -> None:
    """1.33 is the least; 1.32 is told so."""
    done = helm("template", "quorate", str(CHART), "--kube-version", "1.33.0")
    assert done.returncode == 0, done.stderr
    done = helm("template", "quorate", str(CHART), "--kube-version", "1.32.9")
    assert done.returncode != 0
    assert "kubeVersion" in done.stderr
