"""What is counted of a request, and how far that is from a population's middle.

Nothing here knows what is dangerous: a request is strange if several of its counts are.
"""

import math
import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quorate.consensus.excerpt import Origin, pieces, values
from quorate.consensus.request import Request

FEATURES: Final = (
    "arguments-chars", "arguments-values", "longest-value", "entropy", "symbols", "digits",
    "not-ascii", "urls", "addresses", "longest-token", "messages", "user-chars", "result-chars",
    "results", "earlier-calls", "same-tool", "instructions-chars", "risk",
)  # fmt: skip
STRANGEST: Final = 3
"""How many of the strangest features count. One alone is often chance."""
DEVIATION_MAX: Final = 30.0

Vector = NDArray[np.float64]
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]{1,15}://", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"[\w.+-]{1,64}@[\w.-]{1,253}")


def features(request: Request) -> Vector:
    """The counts of a request, in the order of FEATURES; sizes as logarithms."""
    given = list(values(request.arguments))
    text = "\n".join(given)
    sizes = dict.fromkeys(Origin, 0)
    counts = dict.fromkeys(Origin, 0)
    for piece in pieces(request):
        sizes[piece.origin] += len(piece.text)
        counts[piece.origin] += 1
    calls = [call.tool for message in request.conversation for call in message.calls]
    length = max(1, len(text))
    return np.array(
        [
            math.log1p(len(text)),
            math.log1p(len(given)),
            math.log1p(max(map(len, given), default=0)),
            _entropy(text),
            sum(not c.isalnum() and not c.isspace() for c in text) / length,
            sum(map(str.isdigit, text)) / length,
            sum(ord(c) > 127 for c in text) / length,
            math.log1p(len(_URL.findall(text))),
            math.log1p(len(_ADDRESS.findall(text))),
            math.log1p(max(map(len, text.split()), default=0)),
            math.log1p(len(request.conversation) + request.omitted),
            math.log1p(sizes[Origin.USER]),
            math.log1p(sizes[Origin.TOOL_RESULT]),
            math.log1p(counts[Origin.TOOL_RESULT]),
            math.log1p(len(calls)),
            math.log1p(sum(tool == request.tool for tool in calls)),
            math.log1p(sizes[Origin.INSTRUCTIONS]),
            request.risk.score / 1_000,
        ],
        dtype=np.float64,
    )


def strangeness(vector: Vector, middle: Vector, spread: Vector) -> float:
    """The mean of the largest deviations above ``middle``, each in units of ``spread``.

    Only what is more than usual is strange: no harm was ever done by saying less.
    """
    deviations = np.clip((vector - middle) / spread, 0.0, DEVIATION_MAX)
    return round(float(np.sort(deviations)[-STRANGEST:].mean()), 6)


def middle_and_spread(vectors: NDArray[np.float64]) -> tuple[Vector, Vector]:
    """Median of each feature, and its spread: the larger of the scaled median absolute deviation,
    which ignores outliers, and the standard deviation, which knows that what is usually zero is
    sometimes one. A feature that hardly varies forgives small differences."""
    middle = np.median(vectors, axis=0)
    deviation = 1.4826 * np.median(np.abs(vectors - middle), axis=0)
    least = np.maximum(0.05, 0.1 * np.abs(middle))
    return middle, np.maximum(np.maximum(deviation, vectors.std(axis=0)), least)


def _entropy(text: str) -> float:
    """Bits a character."""
    if not text:
        return 0.0
    counts: dict[str, int] = {}
    for character in text:
        counts[character] = counts.get(character, 0) + 1
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())
