"""Risky actions between a real member's judges and a real sidecar: inner tests."""

import pytest

from tests.integration.sidecar.test_pod import passed, run_inside


@pytest.mark.requirement("run-time votes: members judge, the sidecar acts on their certificate")
@pytest.mark.requirement("explain-decision reads the log as a pod writes it")
def test_a_members_judges_decide_about_a_call() -> None:
    """A harmless call passes, one that a page wants made is denied; both are explained."""
    passed(
        run_inside("tests/integration/sidecar/inside_actions.py"),
        "test_a_members_judges_decide_about_a_call",
    )
