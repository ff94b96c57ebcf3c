"""What a service made by its start is no work for the garbage collector later."""

import subprocess
import sys

_PROGRAM = """
import gc
from quorate_io import asking, committee_client, resident

resident.settle()
seen = len(gc.get_objects())
kept = gc.get_freeze_count()
made = [[] for _ in range(1000)]
made[0].append(made)
del made
print(kept, seen, gc.collect())
"""


def test_a_round_of_the_collector_has_little_to_look_at() -> None:
    """Tens of thousands of objects are out of its rounds; cycles made later are still found."""
    command = [sys.executable, "-c", _PROGRAM]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    kept, seen, collected = map(int, found.split())
    assert kept > 20_000
    assert seen < kept / 20
    assert collected > 0
