"""What the list of incidents says of a request."""

from typing import Final

import numpy as np

from quorate.consensus.excerpt import Origin
from quorate.consensus.request import Request
from quorate.consensus.wire import SCORE_MAX, Verdict
from quorate.text import views
from quorate_consensus.judges.by_origin import by_origin
from quorate_consensus.judges.history.incidents import Incidents
from quorate_consensus.judges.opinion import Identity, Opinion
from quorate_features.shingles import Hashes
from quorate_features.sketches import hashes

NAME: Final = "history"
VERSION: Final = 1
SIMILAR: Final = "LikeAnIncident"
READ: Final = (Origin.USER, Origin.TOOL_RESULT, Origin.ARGUMENTS, Origin.ASSISTANT)
"""The system's instructions are left out: they may quote incidents to warn of them."""


class HistoryJudge:
    """Denies what holds most of a recorded incident. Not hard: two texts may quote a third."""

    def __init__(self, incidents: Incidents, artefact: str) -> None:
        self._incidents = incidents
        self.identity = Identity(NAME, VERSION, artefact)

    def read(self, request: Request) -> Opinion:
        """What the list says; the score is the largest share of any incident."""
        shares = self._incidents.shares(self._grams(request))
        threshold = self._incidents.threshold
        denied = any(
            share >= threshold and denies
            for share, denies in zip(shares, self._incidents.denies, strict=True)
        )
        highest = max(shares, default=0.0)
        return Opinion(
            verdict=Verdict.DENY if denied else Verdict.APPROVE,
            score=round(SCORE_MAX * highest),
            reasons=(SIMILAR,) if highest >= threshold else (),
        )

    def _grams(self, request: Request) -> Hashes:
        """Of everything that is read, decoded too, what the list may know; each origin as one
        text."""
        texts = by_origin(request)
        found = [
            self._incidents.candidates(hashes(view))
            for origin in READ
            if origin in texts
            for view in views(texts[origin])
        ]
        return np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.uint64)
