"""Makes the list of incidents: of texts made by script, or of a file with one a line."""

import random
from collections.abc import Iterable
from typing import Any, Final

from quorate_features.sketches import SIZE, sketch
from quorate_training.judges.texts import Split, attack, families

THRESHOLD: Final = 0.6
"""Share of an incident's sketch that denies."""
INCIDENTS: Final = 96


def incident_texts(seed: int, count: int = INCIDENTS) -> list[str]:
    """Texts that stand for recorded incidents, long enough to be told from others."""
    draw = random.Random(f"incidents/{seed}")  # noqa: S311 - repeatable
    found: dict[str, None] = {}
    while len(found) < count:
        family = draw.choice(families("en", Split.TRAINING))
        text = attack(draw, "en", family, Split.TRAINING)
        if len(sketch(text)) >= 40:
            found[text] = None
    return list(found)


def listed(texts: Iterable[str]) -> dict[str, Any]:
    """The list of incidents with these texts. Those that are too short are left out."""
    sketches = [found for text in texts if (found := sketch(text))]
    incidents = [
        {"id": f"incident-{number:04d}", "verdict": "deny", "sketch": list(found)}
        for number, found in enumerate(sketches, start=1)
    ]
    return {"version": 1, "gramSize": SIZE, "threshold": THRESHOLD, "incidents": incidents}
