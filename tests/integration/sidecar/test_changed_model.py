"""A model that changes while it is served, or between measuring and serving: inner tests."""

import pytest

from tests.integration.sidecar.test_pod import passed, run_inside


@pytest.mark.requirement("re-measure after start acts: unready, deny, incident")
def test_changed_model_is_not_served_on() -> None:
    """Written: denied for good and told. Touched: measured again, served on. Written before the
    sidecar looked: it never starts."""
    passed(
        run_inside("tests/integration/sidecar/inside_changed_model.py"),
        "test_model_changed_while_served",
        "test_touched_model_serves_on",
        "test_model_changed_between_measure_and_sidecar",
    )
