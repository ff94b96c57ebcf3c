"""The judges of the release that comes with the program."""

from functools import lru_cache

from quorate_consensus.judges import release
from quorate_consensus.judges.building import readers
from quorate_consensus.judges.reader import Reader
from quorate_consensus.judges.release import Release


@lru_cache
def opened() -> Release:
    """The release, pinned to what it is."""
    return release.open_built_in()


@lru_cache
def judge(name: str) -> Reader:
    """The judge of this name."""
    return readers(opened(), [name])[0]


def rules() -> Reader:
    """The judge ``rules``."""
    return judge("rules")


def tools() -> Reader:
    """The judge ``tools``."""
    return judge("tools")
