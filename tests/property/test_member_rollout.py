"""A rolling upgrade in a cluster that does what it likes: it never takes a second member away, and
ends."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.consensus.thresholds import PRESETS
from quorate_operator.reconcile.member_rollout import MemberPod, Seen, plan_rollout
from tests.unit.operator.test_rollout_plan import member

COMMITTEES = ("dev", "standard", "ha")


class Cluster:
    """Members whose Pods come back a while after they were deleted, or fall over by themselves."""

    def __init__(self, preset: str) -> None:
        self.thresholds = PRESETS[preset]
        self.names = [f"member-{i}" for i in range(self.thresholds.n)]
        self.revision = dict.fromkeys(self.names, "r0")
        self.back_in = dict.fromkeys(self.names, 0)
        """Looks until the member answers; 0 if it does."""
        self.deleted: list[tuple[str, str]] = []
        self.tried: dict[str, str] = {}

    def answers(self, name: str) -> bool:
        """Whether the member answers now."""
        return self.back_in[name] == 0

    def look(self, wanted: str, slowness: int) -> None:
        """One look of the operator; a Pod that is deleted comes back in the wanted revision."""
        plan = plan_rollout(
            Seen(
                [self._pod(name, wanted) for name in self.names],
                self.thresholds,
                frozenset(self.names),
                frozenset(filter(self.answers, self.names)),
                tried=self.tried,
            )
        )
        if plan.delete is None:
            return
        name = plan.delete.member
        others = [other for other in self.names if other != name]
        assert all(map(self.answers, others)), "deleted while another was away"
        assert self.revision[name] != wanted, "deleted for nothing"
        self.deleted.append((name, wanted))
        self.tried[name] = self.revision[name] = wanted
        self.back_in[name] = 1 + slowness

    def tick(self, falls: str | None) -> None:
        """Time passes; a member may fall over by itself and come back later."""
        for name in self.names:
            self.back_in[name] = max(0, self.back_in[name] - 1)
        if falls is not None and falls in self.names:
            self.back_in[falls] = max(2, self.back_in[falls])

    def _pod(self, name: str, wanted: str) -> MemberPod:
        # While a Pod comes back there is none that could be deleted.
        gone = not self.answers(name) and name in self.tried
        return member(name, "" if gone else self.revision[name], wanted)


@pytest.mark.requirement("rolling upgrade: one member at a time, only while all others answer")
@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(COMMITTEES),
    st.lists(
        st.tuples(
            st.sampled_from(["r1", "r1", "r1", "r2"]),
            st.integers(0, 4),
            st.none() | st.sampled_from([f"member-{i}" for i in range(6)]),
        ),
        max_size=40,
    ),
)
def test_no_schedule_takes_more_than_one_member(
    preset: str, schedule: list[tuple[str, int, str | None]]
) -> None:
    """Whatever falls over meanwhile and whatever revision is wanted next: a member goes only while
    all others answer, once for a revision; and once things are quiet all become new."""
    cluster = Cluster(preset)
    for wanted, slowness, falls in schedule:
        cluster.look(wanted, slowness)
        cluster.tick(falls)
    # What was tried and is old again is for people; a revision nobody tried is not.
    for _ in range(8 * len(cluster.names)):
        cluster.look("r3", 1)
        cluster.tick(None)
    assert set(cluster.revision.values()) == {"r3"}
    assert sorted(pair for pair in cluster.deleted if pair[1] == "r3") == [
        (name, "r3") for name in cluster.names
    ]
