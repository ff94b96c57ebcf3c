"""The values' schema: closed, described, bounded, and in step with values.yaml."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from quorate import limits, names
from quorate.consensus import judge_sets
from quorate.consensus.thresholds import MEMBERS_MAX, PRESETS
from tools.gen.committee_template import presets

CHART = Path(__file__).resolve().parents[3] / "charts/quorate"


def schema() -> dict[str, Any]:
    """The schema of the values."""
    document: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    return document


def defaults() -> dict[str, Any]:
    """The values as the chart ships them."""
    document: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    return document


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
    assert member["receiptLifeSeconds"]["maximum"] == limits.RECEIPT_LIFE
    assert member["receiptLifeSeconds"]["minimum"] <= limits.RECEIPT_LIFE // 10
    assert member["certificateLifeSeconds"]["minimum"] <= limits.CERTIFICATE_LIFE // 10
    assert member["stateLifeSeconds"]["minimum"] <= limits.STATE_LIFE // 10


@pytest.mark.requirement("chart presets committee.preset: dev, standard, ha")
def test_the_committee_is_the_librarys() -> None:
    """Presets and judge sets to choose from are those there are; names fit hosts and labels."""
    committee = schema()["properties"]["committee"]["properties"]
    assert committee["preset"]["enum"] == list(PRESETS)
    member = committee["members"]["items"]["properties"]
    assert member["judges"]["enum"] == list(judge_sets.shipped().sets)
    assert committee["members"]["maxItems"] == MEMBERS_MAX
    # Of a pod's labels one is its set's name with eleven characters more, and they have 63.
    longest = "x" * member["name"]["maxLength"]
    assert len(names.member_object(longest)) + 11 <= 63


@pytest.mark.requirement("chart presets committee.preset: dev, standard, ha")
@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_the_thresholds(preset: str) -> None:
    """As many members as the thresholds count, judged apart; what may be away leaves a quorum."""
    found, thresholds = presets()[preset], PRESETS[preset]
    assert len(found["members"]) == thresholds.n
    assert len({member["judges"] for member in found["members"]}) == thresholds.n
    assert found["maxUnavailable"] == max(thresholds.n - thresholds.strict, 1)
    if thresholds.n > 1:
        assert thresholds.n - found["maxUnavailable"] >= thresholds.strict
