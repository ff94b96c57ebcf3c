"""Fixtures of the member's integration tests."""

from pathlib import Path

import pytest

from tests.integration.consensus.member_process import Cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """Files and keys for a member that does not run yet."""
    return Cluster(tmp_path)
