"""The digests of the judge sets that ship, for whoever installs without the judges."""

import json

from quorate_consensus.judges import release
from quorate_consensus.judges.sets import digests


def judge_sets() -> str:
    """The file's text."""
    built_in = release.open_built_in()
    return json.dumps({"sets": digests(built_in)}, indent=2) + "\n"
