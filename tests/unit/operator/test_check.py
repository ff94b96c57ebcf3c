"""``check`` of the members, at real TLS servers on loopback."""

from collections.abc import Mapping

import pytest

from quorate import names
from quorate.consensus.epoch import Change
from quorate.errors import Unavailable
from quorate.genesis import encode
from quorate_io.member_api import Failure
from quorate_operator.check import Place, endpoints_ready, members_prove_genesis
from quorate_operator.install.member import GENESIS
from quorate_operator.kinds import CONFIG_MAP
from tests.fakes.ballots import digest
from tests.fakes.committee_servers import Servers, refusing
from tests.fakes.vouching import NOW
from tests.unit.operator.fake_api import FakeApi, FixedClock

NS = names.NAMESPACE


@pytest.fixture(autouse=True)
def then(monkeypatch: pytest.MonkeyPatch) -> None:
    """The members' authorities are of the day of the other documents."""
    monkeypatch.setattr("quorate_operator.check.SystemClock", lambda: FixedClock(NOW))


class Stand:
    """An installation of five members."""

    def __init__(self) -> None:
        self.servers, self.api = Servers(refusing(Failure.FORBIDDEN)), FakeApi()
        data = {"genesis.json": encode(self.servers.epochs.genesis).decode()}
        self.api.put(CONFIG_MAP.path(NS, GENESIS), {"data": data})

    def place(self, url: str, instead: Mapping[str, str] | None = None) -> Place:
        """Where their Services lead, some of them to another member."""
        template = url.removeprefix("https://")
        found = {
            names.member_object(name): template.replace(names.MEMBER_MARK, name)
            for name in self.servers.names
        }
        for name, other in (instead or {}).items():
            found[names.member_object(name)] = found[names.member_object(other)]
        return Place(NS, found)


@pytest.mark.requirement("check: every member proves the genesis over its own Service")
async def test_members_that_are_all_there_are_well() -> None:
    """Each at its own Service, by its own key."""
    stand = Stand()
    async with stand.servers.serving() as url:
        await members_prove_genesis(stand.api, stand.place(url))


@pytest.mark.requirement("check: every member proves the genesis over its own Service")
async def test_each_member_that_is_not_well_is_told() -> None:
    """One that is away, and one whose Service leads to another member, in one sentence."""
    stand = Stand()
    async with stand.servers.serving("12") as url:
        with pytest.raises(Unavailable) as told:
            await members_prove_genesis(stand.api, stand.place(url, {"13": "11"}))
    assert "127.0.0.12" in str(told.value)
    assert "where 13 is expected, 11 answered" in str(told.value)
    assert "127.0.0.10" not in str(told.value)


@pytest.mark.requirement("check: a strict quorum is enough, and the rest is warned of")
async def test_one_of_five_may_be_away(caplog: pytest.LogCaptureFixture) -> None:
    """Four of five must sign: the fifth is named in the log, and the installation is whole."""
    stand = Stand()
    async with stand.servers.serving("12") as url:
        await members_prove_genesis(stand.api, stand.place(url))
    assert "127.0.0.12" in caplog.text
    assert "enough others are" in caplog.text


async def test_members_are_those_whose_word_counts_by_now() -> None:
    """Who was found lying since need not be there; the others tell of it."""
    stand = Stand()
    seats = stand.servers.cluster.committee.seats(**{"12": {"quarantined": True}})
    record = stand.servers.cluster.follow(
        Change.QUARANTINE, admins=0, seats=seats, evidence=digest("e")
    )
    stand.servers.epochs.extend(record)
    async with stand.servers.serving("12") as url:
        await members_prove_genesis(stand.api, stand.place(url))


async def test_every_service_needs_an_endpoint() -> None:
    """Of each member, and of the webhook."""
    stand = Stand()
    asked: list[str] = []

    def fault(method: str, path: str) -> None:
        if path.endswith("endpointslices"):
            asked.append(path)

    stand.api.fault = fault
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{NS}/endpointslices"
    ready = {"endpoints": [{"conditions": {"ready": True}}]}
    stand.api.objects[slices] = {"items": [ready]}
    async with stand.servers.serving("14") as url:
        await endpoints_ready(stand.api, stand.place(url))
        assert len(asked) == 1 + len(stand.servers.names)
        stand.api.objects[slices] = {"items": []}
        with pytest.raises(Unavailable, match="quorate-webhook has no ready endpoint"):
            await endpoints_ready(stand.api, stand.place(url))
