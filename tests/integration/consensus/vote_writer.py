"""A process that keeps votes as fast as it can and prints each sequence once it is certain."""

import asyncio
import sys
from pathlib import Path

from quorate.consensus import wire
from quorate.consensus.member import Judgement, Persist
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import Ballot, Signed, Verdict, Vote
from quorate_consensus.votes.store import Owner, VoteStore
from quorate_consensus.votes.writer import GroupWriter

EPOCH = b"e" * 32
OWNER = Owner("m0", f"sha256:{'1' * 64}", f"sha256:{'2' * 64}")
DENY = Judgement(Verdict.DENY, 900)


def request_of(sequence: int) -> bytes:
    """The request digest of the ``sequence``-th vote."""
    return sequence.to_bytes(32, "big")


def persist(sequence: int) -> Persist:
    """The ``sequence``-th vote."""
    ballot = Ballot(
        wire.VERSION, "m0", 1, sequence, bytes(32), request_of(sequence), Tier.STRICT, EPOCH,
        bytes(16), bytes(32), Verdict.DENY, False, 900, (), bytes(32),
    )  # fmt: skip
    vote = Vote(Signed(wire.encode(ballot), b"s" * 64), Signed(b"d", b"s" * 64))
    return Persist(sequence, vote, EPOCH, (request_of(sequence), Tier.STRICT), DENY)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def _write(directory: Path) -> None:
    store = VoteStore(directory, OWNER)
    path = store.open_epoch(EPOCH)
    first = 1
    while store.find(EPOCH, (request_of(first), Tier.STRICT)):
        first += 1
    _say("ready")

    def persisted(sequence: int) -> None:
        _say(str(sequence))

    def failed(error: OSError) -> None:
        raise error

    writer = GroupWriter(path, persisted, failed)
    writing = asyncio.create_task(writer.write_for_ever())
    for sequence in range(first, first + 100_000):
        writer.append(sequence, store.hand_over(persist(sequence)))
        if sequence % 7 == 0:
            await asyncio.sleep(0)
    await writing


if __name__ == "__main__":
    asyncio.run(_write(Path(sys.argv[1])))
