"""What the detector promises, by its own code: canaries until a liar is accused, and until an able
member is by chance."""

from collections.abc import Iterator

from quorate.consensus.detector import WRONG_IF_ABLE
from tests.bench.report import Figure
from tests.unit.consensus.test_detector import lies, run_length, watched


def figures() -> Iterator[Figure]:
    """Both rows, and those of liars that lie less often."""
    ((count, _),) = watched(lies(6))
    name = "unsafe canaries until always-approve is accused"
    yield Figure(name, count, "canaries", "<=10")
    for rate in (0.7, 0.5):
        who = f"canaries until who lies {rate:.0%} of the time is, mean"
        yield Figure(who, run_length(rate), "canaries")
    who = f"canaries until an able member ({WRONG_IF_ABLE:.0%} wrong) is, mean, at least"
    yield Figure(who, run_length(WRONG_IF_ABLE), "canaries", ">=100000")
