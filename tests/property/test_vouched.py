"""Whose word counts, whatever happened to the committee before and after."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.errors import SignatureError
from tests.fakes.signing_epochs import KINDS, Cluster, Kind

NAMES = ("m0", "m1", "m2", "m3", "m4")
changes = st.lists(st.sampled_from(["rotate", "quarantine", "policies"]), max_size=4)


class Believed:
    """Members' keys as numbers, and which of them were found lying: no history, no records."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.number = 0
        self.liar: str | None = None
        self.lost: set[tuple[str, int]] = set()

    def apply(self, change: str, name: str) -> None:
        """One more epoch; a second liar would be one more than is tolerated."""
        if change == "policies":
            self.cluster.change_policies()
        elif change == "rotate":
            self.cluster.rotate()
            self.number += 1
        elif self.liar is None:
            self.cluster.quarantine(name)
            self.liar = name
        if self.liar is not None:
            self.lost.add((self.liar, self.number))


@pytest.mark.requirement("admission certificates count while q of their signers are unrevoked")
@given(
    kind=st.sampled_from(KINDS),
    before=changes,
    after=changes,
    liar=st.sampled_from(NAMES),
    signers=st.sets(st.sampled_from(NAMES), min_size=1),
)
@settings(max_examples=60)
def test_a_statement_counts_by_who_signed_it_and_is_still_believed(
    kind: Kind, before: list[str], after: list[str], liar: str, signers: set[str]
) -> None:
    """Exactly while enough of its signers were not found lying under the key they used; a state is
    the word of exactly one."""
    world = Believed()
    for change in before:
        world.apply(change, liar)
    number = world.number
    envelope = kind.sign(world.cluster, *sorted(signers))
    for change in after:
        world.apply(change, liar)
    believed = [name for name in signers if (name, number) not in world.lost]
    if kind.needed <= len(believed) <= kind.most:
        kind.see(envelope, world.cluster.history)
    else:
        with pytest.raises(SignatureError):
            kind.see(envelope, world.cluster.history)
