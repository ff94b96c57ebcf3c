"""kind's configuration is the file in the tree, with workers appended."""

from pathlib import Path

import pytest
import yaml

from tools.cluster.errors import ClusterError
from tools.cluster.kind import with_workers

CONFIG = (Path(__file__).resolve().parents[3] / "kind-config.yaml").read_text()


def roles(config: str) -> list[str]:
    """The roles of a configuration's nodes."""
    return [node["role"] for node in yaml.safe_load(config)["nodes"]]


def test_the_file_has_two_nodes_for_pods() -> None:
    """As on the other provider, pods have two nodes by default."""
    assert roles(with_workers(CONFIG, 2)) == ["control-plane", "worker", "worker"]


def test_workers_are_appended() -> None:
    """More nodes are more workers."""
    assert roles(with_workers(CONFIG, 4)) == ["control-plane", *["worker"] * 4]


def test_fewer_workers_than_the_file_names_are_refused() -> None:
    """The file in the tree is the least."""
    with pytest.raises(ClusterError, match="already names 2 workers"):
        with_workers(CONFIG, 1)
