"""The operator follows the chain: what was certified before is looked at again."""

from datetime import datetime
from typing import cast

import pytest
from prometheus_client import CollectorRegistry

from quorate.consensus.history import History
from quorate.consensus.thresholds import PRESETS
from quorate.errors import Unavailable
from quorate_io.operator_client import Evaluation, OperatorClient
from quorate_operator.chain_follower import ChainFollower
from quorate_operator.effects.member import Questions
from quorate_operator.intake import Queues
from quorate_operator.kinds import Key
from quorate_operator.metrics import Metrics
from quorate_operator.reconcile.actions import Evaluate
from tests.fakes.vouching import Committee
from tests.unit.operator.fake_api import FixedClock
from tests.unit.operator.scene import FILES, FLOOR, LIFE, MODEL, Scene


class Member:
    """Answers with a certificate of ``committee``, and tells of ``history`` if it knows it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.epoch = ""
        self.history_known: History | None = None

    async def evaluate(self, policy: object, model: object, issued_at: datetime) -> Evaluation:
        """Certifies whatever it is asked about."""
        scene = self.scene
        digest = scene.policy().digest
        envelope = scene.committee.certify(
            FILES, FLOOR, digest, now=scene.now, life=LIFE, epoch=self.epoch
        )
        return scene.said(
            policy_digest=digest,
            requirements=(),
            certificate=envelope.decode(),
            renew_at=scene.now + LIFE / 2,
        )

    async def history(self, *, newer: bool = False) -> History:
        """What it knows."""
        if self.history_known is None:
            raise Unavailable("no member answered")
        return self.history_known


class Desk:
    """An operator whose committee has five members; the first four sign."""

    def __init__(self) -> None:
        self.scene = Scene(committee=Committee(n=5, thresholds=PRESETS["standard"], signing=4))
        self.scene.label("enforce")
        self.scene.floor()
        self.scene.model()
        self.scene.approves()
        self.scene.settle()
        self.member, self.queues = Member(self.scene), Queues()
        world, clock = self.scene.world, FixedClock(self.scene.now)
        client = cast(OperatorClient, self.member)
        self.questions = Questions(client, world, clock, Metrics(CollectorRegistry()))
        self.follower = ChainFollower(self.member, world, self.questions, self.queues)
        self.questions.followed = self.follower.take

    def attached(self) -> int:
        """Certificates in the status that count."""
        known = self.scene.world.get(MODEL)
        assert known is not None
        assert known.model is not None
        return len(known.model.attached)

    async def ask(self) -> str:
        """Ask about the model; why that failed."""
        await self.questions.ask(Evaluate(MODEL, FLOOR))
        return self.questions.outcomes(MODEL)[FLOOR].failure

    def waiting(self) -> set[Key]:
        """Models that are to be looked at."""
        return {MODEL} if len(self.queues.models) else set()


@pytest.mark.requirement("admission certificates count while q of their signers are unrevoked")
async def test_models_certified_by_a_liar_are_asked_about_again() -> None:
    """In the status and in the last answer: both are forgotten, and the model is queued."""
    desk = Desk()
    assert await desk.ask() == ""
    assert desk.attached() == 1
    desk.follower.take(desk.scene.committee.without(0))
    assert desk.attached() == 0
    assert desk.questions.outcomes(MODEL) == {}
    assert desk.waiting() == {MODEL}


async def test_who_did_not_sign_takes_nothing_with_it() -> None:
    """The certificate has its quorum; nothing is asked again."""
    desk = Desk()
    await desk.ask()
    desk.follower.take(desk.scene.committee.without(4))
    assert desk.attached() == 1
    assert FLOOR in desk.questions.outcomes(MODEL)
    assert desk.waiting() == set()


async def test_a_look_that_finds_nobody_changes_nothing() -> None:
    """The operator looks once before it reads any status; it does not wait for members."""
    desk = Desk()
    known = desk.scene.world.history
    await desk.follower.look()
    assert desk.scene.world.history is known
    desk.member.history_known = desk.scene.committee.without(4)
    await desk.follower.look()
    assert desk.scene.world.history is desk.member.history_known


async def test_an_older_history_takes_nothing_back() -> None:
    """A member that is behind, or one that lies, cannot make anybody believed again."""
    desk = Desk()
    newest = desk.scene.committee.without(0)
    desk.follower.take(newest)
    desk.follower.take(desk.scene.committee.history)
    assert desk.scene.world.history is newest


async def test_an_answer_of_a_newer_epoch_is_followed_and_taken_in() -> None:
    """The member signs in the name of an epoch that the operator has not heard of."""
    desk = Desk()
    newest = desk.scene.committee.without(4)
    desk.member.epoch = newest.head.digest_text
    assert "no member answered" in await desk.ask()
    desk.member.history_known = newest
    assert await desk.ask() == ""
    assert desk.scene.world.history is newest


async def test_an_answer_of_an_epoch_that_nobody_knows_counts_as_none() -> None:
    """Members tell of no such epoch: it is no certificate."""
    desk = Desk()
    desk.member.epoch = f"sha256:{'0' * 64}"
    desk.member.history_known = desk.scene.committee.history
    assert "not known" in await desk.ask()
