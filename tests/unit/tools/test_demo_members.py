"""When an upgrade of members is over: every pod is ready, and of the revision that is wanted."""

from typing import Any, cast

import pytest

from quorate import names
from tools.demo.cluster import Cluster, CommandFailed
from tools.demo.members import REVISION, wait_for_members

Document = dict[str, Any]


class Listed:
    """What kubectl lists, by kind."""

    def __init__(self, sets: list[Document], pods: list[Document]) -> None:
        self.items = {"statefulsets": sets, "pods": pods}

    def get(self, kind: str, *selector: str) -> Document:
        """``kubectl get``."""
        return {"items": self.items[kind]}


def stateful_set(member: str, *, observed: int = 2, wanted: str = "new") -> Document:
    """A member's set as its controller saw it."""
    labels = {names.MEMBER_LABEL: member}
    return {
        "metadata": {"name": names.member_object(member), "generation": 2, "labels": labels},
        "status": {"observedGeneration": observed, "updateRevision": wanted},
    }


def pod(member: str, *, ready: str = "True", revision: str = "new", **metadata: str) -> Document:
    """A member's pod."""
    labels = {names.MEMBER_LABEL: member, REVISION: revision}
    conditions = [{"type": "Ready", "status": ready}]
    return {"metadata": {"labels": labels, **metadata}, "status": {"conditions": conditions}}


def wait(sets: list[Document], pods: list[Document]) -> None:
    """Without patience."""
    wait_for_members(cast(Cluster, Listed(sets, pods)), seconds=-1)


def test_all_members_are_as_they_should_be() -> None:
    """Nothing to wait for."""
    both = ("member-0", "member-1")
    wait([stateful_set(name) for name in both], [pod(name) for name in both])


@pytest.mark.parametrize(
    ("sets", "pods", "said"),
    [
        ([], [], "there are none"),
        ([stateful_set("member-0", observed=1)], [pod("member-0")], "was not looked at yet"),
        ([stateful_set("member-0")], [pod("member-1")], "member-0: has no pod"),
        ([stateful_set("member-0")], [pod("member-0", deletionTimestamp="now")], "has no pod"),
        ([stateful_set("member-0")], [pod("member-0", revision="old")], "older revision"),
        ([stateful_set("member-0")], [pod("member-0", ready="False")], "is not ready"),
    ],
)
def test_members_that_are_waited_for(sets: list[Document], pods: list[Document], said: str) -> None:
    """Whoever waits in vain is told for what."""
    with pytest.raises(CommandFailed, match=said):
        wait(sets, pods)
