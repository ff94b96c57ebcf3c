"""The shipped alert rules: each tried both ways, each with a page and metrics that exist."""

import re

import pytest
import yaml

from quorate.telemetry import names as metrics
from tools.gen.artifacts import ROOT

RULES = ROOT / "observability/rules/quorate.yaml"
TESTS = ROOT / "observability/rules/quorate.test.yaml"
RUNBOOKS = ROOT / "docs/howto/runbooks"


def rules() -> list[dict[str, object]]:
    """Every shipped rule."""
    found: list[dict[str, object]] = yaml.safe_load(RULES.read_text("utf-8"))["groups"][0]["rules"]
    return found


@pytest.mark.requirement("alerts: a shipped rule, tested with promtool")
def test_every_rule_is_tried_both_ways() -> None:
    """Each alert has a case in which it fires and one in which it is silent."""
    fires: set[str] = set()
    silent: set[str] = set()
    for test in yaml.safe_load(TESTS.read_text("utf-8"))["tests"]:
        for case in test["alert_rule_test"]:
            (fires if case["exp_alerts"] else silent).add(case["alertname"])
    alerts = {rule["alert"] for rule in rules()}
    assert fires == alerts
    assert silent == alerts


@pytest.mark.requirement("alerts: a runbook URL")
def test_every_rule_has_its_page() -> None:
    """The URL's last part is the page's name; the page says what to look at and what to do."""
    pages = {page.stem.lower(): page.read_text("utf-8") for page in RUNBOOKS.glob("*.md")}
    for rule in rules():
        annotations = rule["annotations"]
        assert isinstance(annotations, dict)
        slug = annotations["runbook_url"].rpartition("/")[2]
        assert slug == str(rule["alert"]).lower()
        for heading in ("## What it means", "## Look", "## Fix", "## Afterwards"):
            assert heading in pages[slug]
    assert len(pages) == len(rules())


def test_rules_use_metrics_that_exist() -> None:
    """Every metric in an expression is one that a service exports."""
    exported = {value.name for value in vars(metrics).values() if isinstance(value, metrics.Metric)}
    for rule in rules():
        used = set(re.findall(r"\bquorate_[a-z_]+\b", str(rule["expr"])))
        assert used
        assert used <= exported, rule["alert"]
