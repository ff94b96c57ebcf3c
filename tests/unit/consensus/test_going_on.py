"""A running member goes on in a later epoch: in whose name it signs, and when it signs no more."""

import json
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from quorate.consensus.thresholds import Thresholds
from quorate.errors import Unavailable
from quorate.evidence import dsse
from quorate.genesis import first_epoch
from quorate_consensus.collected import Collected
from quorate_consensus.epochs import Epochs
from quorate_consensus.issuing import Committee, vote
from quorate_consensus.judging import Judge
from quorate_consensus.relay import read_model, read_policy
from quorate_consensus.state_service import States
from tests.fakes import vouching
from tests.fakes.vouching import NOW
from tests.unit.consensus.scene import ManualClock, Scene, Unread, relayed
from tests.unit.consensus.test_state_service import Silent, caller

MEMBERS = vouching.Committee(n=5, thresholds=Thresholds(5, 3, 4, 1))
SCENE = Scene(members=MEMBERS)


class Desk:
    """Member ``index`` of five, which knows a pod without a model."""

    def __init__(self, workers: ThreadPoolExecutor, index: int = 0) -> None:
        self.epochs = Epochs(MEMBERS.genesis)
        self.committee = Committee(self.epochs, MEMBERS.keys[index], 3600, 600)
        clock, relay = ManualClock(), relayed(SCENE.batch(models=()))
        judge = Judge(self.committee, clock, workers, Silent(), lambda: 0.0)
        collected = Collected(self.epochs, Unread())
        self.states = States(self.committee, relay, judge, collected, clock)

    async def state_epoch(self) -> str:
        """Of which epoch the pod's state is."""
        envelope = dsse.parse(await self.states.envelope(caller()))
        return str(json.loads(envelope.payload)["epoch"])

    def vote_epoch(self) -> str:
        """Of which epoch a vote for the model is."""
        found = vote(self.committee, read_policy(SCENE.floor()), read_model(SCENE.model()), NOW)
        assert found.envelope is not None
        return str(json.loads(dsse.parse(found.envelope.encode()).payload)["epoch"])


@pytest.mark.requirement("committee: later epochs open at a running member")
async def test_everything_is_signed_in_the_newest_epoch() -> None:
    """At once: a state that was signed a moment ago is not served again."""
    with ThreadPoolExecutor(1) as workers:
        desk = Desk(workers)
        genesis = MEMBERS.genesis.digest_text
        assert (await desk.state_epoch(), desk.vote_epoch()) == (genesis, genesis)
        head = desk.epochs.extend(MEMBERS.quarantine(4)).digest_text
        assert (await desk.state_epoch(), desk.vote_epoch()) == (head, head)


@pytest.mark.requirement("committee: a member whose word counts for nothing signs nothing")
async def test_who_is_not_believed_signs_nothing() -> None:
    """The liar, once it hears of its quarantine; and a key that no seat names."""
    with ThreadPoolExecutor(1) as workers:
        liar = Desk(workers, index=4)
        liar.epochs.extend(MEMBERS.quarantine(4))
        with pytest.raises(Unavailable, match="epoch 1 has it under quarantine"):
            await liar.state_epoch()
        with pytest.raises(Unavailable, match="nobody would believe what it signs"):
            liar.vote_epoch()
    stranger = Committee(Epochs(MEMBERS.genesis), vouching.member_signer(), 3600, 600)
    with pytest.raises(Unavailable, match="no seat with this member's key"):
        stranger.signing_epoch()


def test_a_seat_counts_by_its_key_whatever_its_text() -> None:
    """The same key in another PEM is the same member."""
    seat = MEMBERS.genesis.record.seats[0]
    spelled = msgspec.structs.replace(seat, key=seat.key.replace("\n", "\r\n"))
    record = msgspec.structs.replace(
        MEMBERS.genesis.record, seats=(spelled, *MEMBERS.genesis.record.seats[1:])
    )
    epoch = first_epoch("cluster-1", record.seats, record.thresholds)
    assert Committee(Epochs(epoch), MEMBERS.keys[0], 3600, 600).signing_epoch() is epoch
