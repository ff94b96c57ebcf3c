"""The judges of the release that comes with the program."""

from functools import lru_cache

from quorate_consensus.judges import release
from quorate_consensus.judges.release import BUILT_IN, FILE_NAME, Release
from quorate_consensus.judges.rules import RulesJudge, read_rulebook
from quorate_consensus.judges.tools import ToolsJudge, read_table


@lru_cache
def opened() -> Release:
    """The release, pinned to what it is."""
    return release.open_pinned(
        BUILT_IN, release.digest_of_bytes((BUILT_IN / FILE_NAME).read_bytes())
    )


@lru_cache
def rules() -> RulesJudge:
    """The judge ``rules``."""
    digest, document = opened().document("rules")
    return RulesJudge(read_rulebook(document), digest)


@lru_cache
def tools() -> ToolsJudge:
    """The judge ``tools``."""
    digest, document = opened().document("tools")
    return ToolsJudge(read_table(document), digest)
