"""The catalogue of alerts: the one list that rules, runbooks and code must agree with."""

import ast

import pytest
import yaml

from quorate.alerts import BY_RULE, CATALOGUE, REPORTED, Rule, Source
from tools.gen.artifacts import ROOT

SHIPPED = ROOT / "observability/rules/quorate.yaml"
RUNBOOKS = ROOT / "docs/howto/runbooks"


@pytest.mark.requirement("an alert is one SafetyIncident, one Event, one metric with a rule")
def test_catalogue_rules_and_runbooks_name_the_same_alerts() -> None:
    """No rule that nobody raises, no alert without a rule, no page about nothing."""
    names = {alert.rule.value for alert in CATALOGUE}
    rules = yaml.safe_load(SHIPPED.read_text("utf-8"))["groups"][0]["rules"]
    assert len(names) == len(CATALOGUE)
    assert names == {rule.value for rule in Rule}
    assert {rule["alert"] for rule in rules} == names
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == names


def test_severities_are_those_of_the_catalogue() -> None:
    """What pages a person in Prometheus is what the incident calls critical."""
    rules = yaml.safe_load(SHIPPED.read_text("utf-8"))["groups"][0]["rules"]
    critical = {rule["alert"] for rule in rules if rule["labels"]["severity"] == "critical"}
    assert critical == {a.rule.value for a in CATALOGUE if a.severity == "Critical"}


def test_pods_report_only_what_is_theirs_to_see() -> None:
    """A stolen pod token must not raise an alert about the installation."""
    assert set(REPORTED) == {rule for rule in Rule if BY_RULE[rule].source is Source.POD}
    assert Rule.WEBHOOK_DOWN not in REPORTED


def raised_in(room: str) -> set[str]:
    """Rules that a room's code names where it raises an alert or notes a report."""
    found = set()
    for path in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called.endswith(("RaiseAlert", ".note", "partial", "Escape")):
                found |= {
                    argument.attr
                    for argument in node.args
                    if isinstance(argument, ast.Attribute) and ast.unparse(argument.value) == "Rule"
                }
    return found


@pytest.mark.requirement("an alert is one SafetyIncident, one Event, one metric with a rule")
def test_every_alert_has_code_that_raises_it() -> None:
    """The operator's own in the operator, which also raises what core finds of a pod; a pod's in
    the sidecar, whose reports the operator raises whatever their rule is (test_report_reader)."""
    rooms = {Source.OPERATOR: "operator", Source.POD: "sidecar"}
    for source, room in rooms.items():
        expected = {alert.rule.name for alert in CATALOGUE if alert.source is source}
        found = raised_in(room)
        if source is Source.OPERATOR:
            found |= raised_in("core/quorate/admission")
        assert found == expected, room
