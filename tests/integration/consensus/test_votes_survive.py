"""A member's votes survive kill -9: whatever was certain is there, and nothing is damaged."""

import random
import subprocess
import sys
from pathlib import Path

from quorate.consensus.thresholds import Tier
from quorate_consensus.votes import store
from quorate_consensus.votes.store import VoteStore
from tests.integration.consensus import vote_writer
from tests.integration.consensus.vote_writer import EPOCH, OWNER, request_of

ROUNDS = 12
SEED = 20


def _run_and_kill(directory: Path, after: int) -> int:
    """Start a writer, kill it once ``after`` sequences were reported; the last one reported."""
    with subprocess.Popen(
        [sys.executable, "-m", vote_writer.__name__, str(directory)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        last = 0
        for _ in range(after):
            last = int(process.stdout.readline())
        process.kill()
        rest = process.stdout.read().split("\n")[:-1]
    return int(rest[-1]) if rest else last


def test_votes_survive_kill(tmp_path: Path) -> None:
    """Killed at twelve random moments, each time on top of what was there: every vote that was
    reported as kept is found, each in turn from the first."""
    directory = tmp_path / "votes"
    store.init(directory, OWNER)
    chance = random.Random(SEED)
    before = 0
    for _ in range(ROUNDS):
        last = _run_and_kill(directory, chance.randrange(1, 12))
        assert last > before
        before = last
        opened = VoteStore(directory, OWNER)
        opened.open_epoch(EPOCH)
        for sequence in range(1, last + 1):
            assert opened.find(EPOCH, (request_of(sequence), Tier.STRICT)) is not None, sequence
