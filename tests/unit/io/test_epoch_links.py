"""What the operator's client says to a member about epochs, over TLS."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from quorate.consensus.epoch import Change
from quorate.errors import InvalidInput
from quorate_io import member_api
from quorate_io.member_api import EpochDeclined, EpochTaken, Failure, Proposal, ProposeAnswer
from quorate_io.operator_client import MemberRefused, OperatorClient
from tests.fakes.ballots import digest
from tests.fakes.committee_servers import Answering, Servers, refusing
from tests.fakes.vouching import NOW
from tests.unit.operator.fake_api import FixedClock


def saying(body: object) -> Answering:
    """Answers this, and notes what it was asked."""

    async def answer(name: str, request: web.Request) -> web.Response:
        assert request.path == member_api.EPOCHS_PATH
        assert request.headers["Authorization"].startswith("Bearer ")
        seen.append(member_api.read_epochs_request(await request.read(), 1 << 20))
        return web.Response(body=member_api.encode(body))  # type: ignore[arg-type]

    seen.clear()
    return answer


seen: list[member_api.EpochsRequest] = []


@asynccontextmanager
async def client(stand: Servers, token_file: Path) -> AsyncIterator[OperatorClient]:
    """A client of all members."""
    genesis = stand.epochs.genesis.digest_text
    async with (
        stand.serving() as url,
        OperatorClient(url, stand.names, genesis, token_file, clock=FixedClock(NOW)) as found,
    ):
        await found.history()
        yield found


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """A token."""
    path = tmp_path / "token"
    path.write_text("operator-token", encoding="ascii")
    return path


async def test_a_proposal_goes_to_one_member_with_all_that_it_needs(token_file: Path) -> None:
    """Record, administrators' signatures and evidence; a signature comes back, or a reason."""
    stand = Servers(refusing(Failure.FORBIDDEN))
    record = stand.cluster.committee.next_record(Change.POLICIES, policies=digest("b"))
    signed = stand.cluster.committee.endorse(record, 1, 2)
    proposal = Proposal(record=record, admins=signed.admins, evidence=b"{}")
    stand.tell(saying(ProposeAnswer(endorsement=signed.members[0])), "10")
    no = EpochDeclined(reason="AnotherChosen", message="another record was chosen")
    async with client(stand, token_file) as operator:
        ten, eleven, twelve, *_ = operator.members()
        answer = await ten.propose(proposal)
        assert answer.endorsement == signed.members[0]
        assert [request.propose for request in seen] == [proposal]
        stand.tell(saying(ProposeAnswer(declined=no)), "11")
        assert (await eleven.propose(proposal)).declined == no
        stand.tell(saying(ProposeAnswer()), "12")
        with pytest.raises(InvalidInput, match="one of"):
            await twelve.propose(proposal)


async def test_what_is_certified_is_shown_and_the_chain_is_told(token_file: Path) -> None:
    """A member says how far it is, or that the record does not follow."""
    stand = Servers(refusing(Failure.EPOCH_REFUSED, status=409))
    certified = stand.cluster.follow(Change.POLICIES, policies=digest("b"))
    async with client(stand, token_file) as operator:
        ten, eleven, *_ = operator.members()
        stand.tell(saying(EpochTaken(number=1)), "10")
        assert await ten.show(certified) == 1
        assert [request.certified for request in seen] == [certified]
        with pytest.raises(MemberRefused) as refused:
            await eleven.show(certified)
        assert refused.value.reason == Failure.EPOCH_REFUSED
        assert await ten.chain(0) == ()
        stand.epochs.extend(certified)
        assert await ten.chain(0) == (certified,)
        assert await ten.chain(1) == ()
