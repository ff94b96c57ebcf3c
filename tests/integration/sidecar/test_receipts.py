"""Receipts between a real member and a real sidecar: inner tests."""

import pytest

from tests.integration.sidecar.test_pod import passed, run_inside


@pytest.mark.requirement("pod receipts: the sidecar serves only with one")
def test_a_pod_serves_with_a_receipt_only() -> None:
    """Renewed in time; withheld, it stops by the end of the one it has; none, it never starts."""
    passed(
        run_inside("tests/integration/sidecar/inside_receipts.py"),
        "test_receipts_are_renewed_and_withheld",
        "test_no_receipt_no_start",
    )
