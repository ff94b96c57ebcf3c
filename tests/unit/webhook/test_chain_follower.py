"""The webhook hears of epochs from members, at once when a certificate names a new one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from quorate.admission.store import Store
from quorate.consensus.history import History
from quorate.consensus.thresholds import PRESETS
from quorate.errors import Unavailable
from quorate_webhook import chain_follower
from quorate_webhook.chain_follower import ChainFollower
from tests.fakes.vouching import Committee
from tests.unit.admission.world import injection_config
from tests.unit.webhook.test_cache import eventually

COMMITTEE = Committee(n=5, thresholds=PRESETS["standard"])


class Members:
    """What they tell when they are asked; nothing while they are away."""

    def __init__(self) -> None:
        self.told: History | None = None
        self.asked = 0

    async def history(self, *, newer: bool = False) -> History:
        assert newer
        self.asked += 1
        if self.told is None:
            raise Unavailable("no member answered")
        return self.told


class Held(Store):
    """Remembers what it was told to follow."""

    def __init__(self) -> None:
        super().__init__(
            injection_config(COMMITTEE.genesis.digest_text, members=[]), COMMITTEE.history
        )
        self.followed: list[int] = []

    def follow(self, history: History) -> None:
        self.followed.append(history.head.record.number)
        super().follow(history)


class Stand:
    """A follower, whom it asks and what it tells."""

    def __init__(self) -> None:
        self.members, self.store = Members(), Held()
        self.follower = ChainFollower(self.members, self.store)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow while the block runs."""
        task = asyncio.create_task(self.follower.run())
        try:
            yield
        finally:
            task.cancel()


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Stand:
    """One that waits for long between two looks, and hardly after one."""
    monkeypatch.setattr(chain_follower, "FOLLOW_SECONDS", 60.0)
    monkeypatch.setattr(chain_follower, "PAUSE_SECONDS", 0.01)
    return Stand()


async def test_nothing_is_asked_of_it_before_it_asked_members(stand: Stand) -> None:
    """And though none of them answers it is ready then: what is pinned counts."""
    assert stand.follower.not_ready()
    async with stand.running():
        await eventually(lambda: not stand.follower.not_ready())
    assert stand.members.asked == 1
    assert stand.store.followed == []


async def test_a_newer_epoch_is_followed_once(stand: Stand) -> None:
    """Looking again at the same brings nothing, and an older one leads nobody back."""
    stand.members.told = COMMITTEE.without(4)
    for _ in range(2):
        await stand.follower.look()
    stand.members.told = COMMITTEE.history
    await stand.follower.look()
    assert stand.store.followed == [1]
    assert stand.follower.number == 1


async def test_a_certificate_of_an_unknown_epoch_is_a_reason_to_look_at_once(stand: Stand) -> None:
    """Long before the next look is due."""
    async with stand.running():
        await eventually(lambda: not stand.follower.not_ready())
        stand.members.told = COMMITTEE.without(4)
        stand.follower.want()
        await eventually(lambda: stand.store.followed == [1])


async def test_a_flood_of_strangers_is_one_look_each_pause(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who writes what nobody knows into a status does not have members asked without end."""
    monkeypatch.setattr(chain_follower, "PAUSE_SECONDS", 0.2)
    async with stand.running():
        for _ in range(25):
            stand.follower.want()
            await asyncio.sleep(0.01)
    assert 1 <= stand.members.asked <= 3
