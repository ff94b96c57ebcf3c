"""Members that contradict each other: told to people when it is common, and nothing else."""

import random

import msgspec
import pytest

from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import JUDGE_FAILED, JUDGE_LATE, Ballot, Verdict
from quorate_sidecar.actions.discord import (
    ASKS_MAX,
    CONTESTED_MIN,
    CONTESTED_SHARE,
    WINDOW_SECONDS,
    Discord,
)
from tools.judges.splits import false_alarms

BALLOT = Ballot(
    version=1,
    member="m0",
    incarnation=1,
    sequence=1,
    previous=bytes(32),
    request=bytes(32),
    tier=Tier.STRICT,
    epoch=bytes(32),
    nonce=bytes(16),
    audience=bytes(32),
    verdict=Verdict.APPROVE,
    hard=False,
    score=10,
    reasons=(),
    judges=bytes(32),
)
NO = Verdict.DENY


class Minutes:
    """Asks as members answer them, at a time that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0
        self.discord = Discord(lambda: self.now)
        self.asks = 0

    def ask(self, *said: dict[str, object]) -> list[str]:
        """One ask with these answers; by what each made it contested."""
        self.asks += 1
        nonce = self.asks.to_bytes(16, "big")
        ballots = [msgspec.structs.replace(BALLOT, nonce=nonce, **one) for one in said]
        return [self.discord.heard(ballot) for ballot in ballots]


@pytest.fixture
def minutes() -> Minutes:
    """Nothing was asked yet."""
    return Minutes()


@pytest.mark.requirement("split decisions and score spread alert")
def test_what_is_contested_is_told_once_it_is_common(minutes: Minutes) -> None:
    """By verdict, or by scores that lie far apart; each ask counts once, whoever is late."""
    assert minutes.ask({}, {"score": 984}) == ["", ""]
    assert minutes.ask({}, {"score": 985}, {"verdict": NO}) == ["", "score", ""]
    assert minutes.ask({}, {"verdict": NO}, {"verdict": NO}) == ["", "verdict", ""]
    assert minutes.discord.told() == ""
    for _ in range(CONTESTED_MIN - 2):
        minutes.ask({}, {"verdict": NO})
    assert minutes.discord.told() == (
        "members contradicted each other about 8 of the last 9 actions they were asked about: "
        "8 by verdict, 0 by score alone"
    )


def test_a_few_among_many_are_how_judges_differ(minutes: Minutes) -> None:
    """And members that agree, in whatever, are no news."""
    for number in range(50):
        minutes.ask({}, {"verdict": NO} if number % 6 == 0 else {})
        minutes.ask({"verdict": NO, "score": 900}, {"verdict": NO, "score": 950})
    assert minutes.discord.told() == ""


@pytest.mark.parametrize("reason", [JUDGE_LATE, JUDGE_FAILED])
def test_a_late_judge_is_no_contradiction(minutes: Minutes, reason: str) -> None:
    """It is told elsewhere that judges are late."""
    for _ in range(20):
        minutes.ask({}, {"verdict": NO, "score": 1000, "reasons": (reason,)})
    assert minutes.discord.told() == ""


def test_it_ends_with_its_window_and_is_bounded(minutes: Minutes) -> None:
    """Ten minutes later it is over; and no flood of asks takes more memory."""
    for _ in range(CONTESTED_MIN):
        minutes.ask({}, {"verdict": NO})
    assert minutes.discord.told()
    minutes.now = WINDOW_SECONDS + 1
    assert minutes.discord.told() == ""
    for _ in range(ASKS_MAX + 10):
        minutes.ask({})
    assert len(minutes.discord._asks) == ASKS_MAX


EVERYDAY, WORST_KIND, UNSAFE = 0.0161, 0.0228, 0.72
"""Shares that honest members contest: the upper end of the interval, the worst kind of content, and
of unsafe requests by verdict (docs/reference/judges.md, ``python -m tools.judges report``)."""


@pytest.mark.requirement("split decisions: thresholds by a measured rate of false alarms")
def test_a_false_alarm_is_rarer_than_one_in_a_year() -> None:
    """At the worst pace of everyday asks; of the worst kind alone, less than one in a month."""
    assert false_alarms(EVERYDAY) < 1
    assert false_alarms(WORST_KIND) < 12
    assert CONTESTED_SHARE < UNSAFE / 3


@pytest.mark.parametrize(("unsafe", "told"), [(0.0, 0), (0.4, 20)])
def test_days_of_asks_are_told_by_what_is_tried(unsafe: float, told: int) -> None:
    """Of 20 pods that each ask 400 times in a hundred minutes, none with everyday requests is told
    of, and all are of which two in five requests are unsafe."""
    chance, found = random.Random(46), 0
    for _ in range(20):
        minutes, said = Minutes(), False
        for _ in range(400):
            minutes.now += chance.expovariate(1 / 15)
            rate = UNSAFE if chance.random() < unsafe else EVERYDAY
            minutes.ask({}, {"verdict": NO} if chance.random() < rate else {})
            said |= bool(minutes.discord.told())
        found += said
    assert found == told
