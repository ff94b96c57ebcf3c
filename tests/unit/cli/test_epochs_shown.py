"""What the command line knows of epochs when it explains: what the SafetyCommittee shows of them,
as far as it proves itself.
"""

from typing import Any

import pytest

from quorate_cli.cluster import kinds
from quorate_cli.cluster.installation import read_history
from quorate_cli.cluster.reader import NotInstalled
from quorate_operator.reconcile.committee_chain import text_of
from tests.fakes.signing_epochs import Cluster


class Shown:
    """An API server that holds the one object, or none."""

    def __init__(self, status: dict[str, Any] | None) -> None:
        self.status = status

    def get(self, kind: kinds.Kind, name: str, namespace: str = "") -> dict[str, Any] | None:
        assert (kind, name, namespace) == (kinds.SAFETY_COMMITTEE, "committee", "")
        return None if self.status is None else {"status": self.status}


@pytest.fixture
def world() -> tuple[Cluster, list[str]]:
    """A committee with two epochs after its genesis, and their records as they are shown."""
    cluster = Cluster()
    records = [cluster.change_policies(), cluster.change_policies()]
    return cluster, [text_of(one) for one in records]


def history(cluster: Cluster, chain: list[str], number: int) -> Any:
    """What is known by an object that shows this."""
    shown: Any = Shown({"epoch": {"number": number}, "chain": chain})
    return read_history(shown, cluster.history.recent[0])


@pytest.mark.requirement("explain goes by the epoch in force, not by the genesis alone")
def test_epochs_are_followed_as_they_are_shown(world: tuple[Cluster, list[str]]) -> None:
    """To the newest; without an object, or in epoch 0, the genesis is all there is."""
    cluster, chain = world
    assert history(cluster, chain, 2).head.digest_text == cluster.epoch
    genesis = cluster.history.recent[0]
    for status in (None, {}, {"epoch": {"number": 0}}):
        shown: Any = Shown(status)
        assert read_history(shown, genesis).recent == (genesis,)


def test_a_chain_that_is_not_whole_is_a_gap_and_no_denial(
    world: tuple[Cluster, list[str]],
) -> None:
    """A certificate of an epoch that is missing would look like a bad one."""
    cluster, chain = world
    other = Cluster()
    strange = text_of(other.change_policies())
    for broken in ([], chain[:1], chain[1:], ["{}"], [strange], [*chain[:1], strange]):
        with pytest.raises(NotInstalled, match="SafetyCommittee"):
            history(cluster, broken, 2)
