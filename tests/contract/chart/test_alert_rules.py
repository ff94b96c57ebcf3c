"""The shipped alert rules, tried by Prometheus' own tool."""

import subprocess

import pytest

from tests.contract.chart.promtool import promtool
from tools.demo.cluster import ROOT

RULES = ROOT / "observability/rules/quorate.yaml"
TESTS = ROOT / "observability/rules/quorate.test.yaml"


@pytest.mark.requirement("alerts: a shipped rule, tested with promtool")
@pytest.mark.parametrize("arguments", [("check", "rules", RULES), ("test", "rules", TESTS)])
def test_promtool_agrees(arguments: tuple[object, ...]) -> None:
    """The rules parse, and fire and stay silent as their tests say."""
    done = subprocess.run(
        [promtool(), *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout
