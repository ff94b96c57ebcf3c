"""The operator's keeper of the SafetyCommittee, with five members as they run: TLS, disk."""

import contextlib
from pathlib import Path

import pytest

from quorate.consensus.epoch import Change
from quorate_io.operator_client import OperatorClient
from tests.fakes.ballots import digest
from tests.integration.consensus.chain_keeping import ChainKeeping
from tests.integration.consensus.member_process import Cluster
from tests.integration.consensus.operating import Operating
from tests.unit.operator.committee_stand import Stand

FIVE = ("1", "2", "3", "4", "5")


class RealStand(Stand):
    """An operator in this process, and an API server in memory; the members are real."""

    def __init__(self, keeping: ChainKeeping, client: OperatorClient) -> None:
        self.client = client
        super().__init__()
        self.committee, self.genesis = keeping.committee, keeping.committee.epoch
        self.start()

    @property
    def asked(self) -> OperatorClient:
        """The members' client over TLS."""
        return self.client

    def hear(self) -> None:
        """Relays do not run here."""
        self.relays.follow()


@pytest.mark.requirement("epoch chain: a sequencer takes records to the members")
async def test_a_proposal_in_the_object_becomes_the_next_epoch(tmp_path: Path) -> None:
    """Four of five are there: they sign what an administrator signed, and the fifth, which comes
    back later, has it too."""
    keeping = ChainKeeping(Cluster(tmp_path, n=5))
    cluster = keeping.cluster
    with contextlib.ExitStack() as stack:
        for name in FIVE[:4]:
            stack.enter_context(cluster.member(*keeping.options(name), name=name))
        async with Operating(cluster) as operator:
            await operator.client.history()
            stand = RealStand(keeping, operator.client)
            record = stand.record(change=Change.CANARIES, canaries=digest("c"))
            stand.propose(
                stand.proposal("unsigned", stand.record("d"), admins=0),
                stand.proposal("one", record, admins=1),
            )
            assert await stand.look(2) == ""
            assert stand.phase("one") == "Certified", stand.status.proposals
            assert stand.phase("unsigned") == "Superseded"
            assert sorted(stand.status.proposals[1].endorsed) == list(FIVE[:4])
            keeping.committee.open(record)
            stack.enter_context(cluster.member(*keeping.options("5"), name="5"))
            await keeping.everywhere(*FIVE)
            await stand.look()
            assert stand.condition("EpochCurrent") == ("True", "SameEpoch")
