"""The administrators of a new committee: from the chart's values into the genesis, once."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest

from quorate.consensus import judge_sets
from quorate.consensus.epoch import Admins, Epoch
from quorate.consensus.thresholds import PRESETS
from quorate.errors import QuorateError
from quorate.genesis import NO_ADMINS, parse_genesis
from quorate_operator.install.admins import VARIABLE, read_admins
from quorate_operator.install.command import install
from tests.fakes.vouching import NOW, signer
from tests.unit.operator.fake_api import FakeApi, FixedClock
from tests.unit.operator.test_install import GENESIS_PATH, NS, cluster, plan

KEYS = tuple(signer().public_key.pem for _ in range(3))
ADMINS = Admins(KEYS, 2)


def value(**admins: Any) -> dict[str, str]:
    """The environment as the chart sets it."""
    return {VARIABLE: json.dumps({"keys": list(KEYS), "needed": 2} | admins)}


async def installed(api: FakeApi, admins: Admins) -> Epoch:
    """Install, and read the genesis that is there then."""
    await install(api, NS, FixedClock(NOW), timedelta(days=1), 0.0, plan("dev"), admins)
    return parse_genesis(api.objects[GENESIS_PATH]["data"]["genesis.json"].encode())


@pytest.mark.requirement("genesis is epoch record 0: thresholds, administrators, judges")
async def test_the_first_record_of_a_committee_of_one() -> None:
    """Everything that the chain begins with, none of it left to guess."""
    genesis = await installed(cluster(), ADMINS)
    record = genesis.record
    assert record.admins == ADMINS
    assert record.thresholds == PRESETS["dev"]
    (seat,) = record.seats
    assert (seat.name, seat.failure_domain) == ("member-0", "rack-0")
    assert seat.judges == judge_sets.digest_of_set(plan("dev").members[0].judges)


async def test_later_values_change_nothing_and_say_so(caplog: pytest.LogCaptureFixture) -> None:
    """Only a record of the chain does: an upgrade with other administrators leaves the genesis."""
    api = cluster()
    first = await installed(api, ADMINS)
    with caplog.at_level(logging.WARNING):
        assert await installed(api, NO_ADMINS) == first
    assert "not those of the chart's values" in caplog.text


async def test_other_judges_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The release after this one has others; the genesis that is pinned stays."""
    api = cluster()
    first = await installed(api, NO_ADMINS)
    monkeypatch.setattr(judge_sets, "digest_of_set", lambda name: f"sha256:{'0' * 64}")
    assert await installed(api, NO_ADMINS) == first


def test_administrators_as_the_chart_gives_them() -> None:
    """Keys and a number; nobody if the chart names nobody."""
    assert read_admins(value()) == ADMINS
    assert read_admins({}) == NO_ADMINS
    assert read_admins({VARIABLE: '{"keys":[],"needed":1}'}) == NO_ADMINS


@pytest.mark.parametrize(
    "environment",
    [
        {VARIABLE: "none"},
        {VARIABLE: "[]"},
        value(keys=["no key"]),
        value(keys=[KEYS[0]] * 17),
        value(needed=0),
        value(needed=4),
        value(needed="2"),
        value(others=[]),
    ],
)
def test_administrators_that_cannot_be(environment: dict[str, str]) -> None:
    """It fails before anything is made."""
    with pytest.raises(QuorateError):
        read_admins(environment)
