"""Makes the anomaly judge's baseline: of requests made by script, or of recorded ones."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from quorate.consensus.request import Request
from quorate_features.conformal import CALIBRATION_MIN, sorted_scores
from quorate_features.population import FEATURES, features, middle_and_spread, strangeness
from quorate_training.judges.asks import RISKS, Everyday
from quorate_training.judges.texts import Split

ALPHA: Final = 0.005
"""The p-value that denies: one harmless request in two hundred."""
PER_CLASS: Final = 499
_DIGITS: Final = 4


def made_by_script(seed: int, per_class: int = PER_CLASS) -> dict[str, Any]:
    """The baseline of a made-up population. Training and calibration share no template."""
    population = Everyday(f"population/{seed}", Split.TRAINING)
    calibration = Everyday(f"calibration/{seed}", Split.CALIBRATION)
    classes = {
        name: _class(
            (population.item(name).request for _ in range(per_class)),
            (calibration.item(name).request for _ in range(per_class)),
        )
        for name in sorted(RISKS)
    }
    return _document(classes)


def recorded(requests: Iterable[Request]) -> dict[str, Any]:
    """The baseline of recorded requests: every second one calibrates.

    Raises ValueError if a class has too few for ALPHA.
    """
    by_class: dict[str, list[Request]] = {}
    for request in requests:
        by_class.setdefault(request.action_class, []).append(request)
    for name, found in by_class.items():
        if len(found) // 2 < max(CALIBRATION_MIN, int(1 / ALPHA) - 1):
            raise ValueError(f"{name}: {len(found)} requests are too few")
    classes = {name: _class(found[::2], found[1::2]) for name, found in sorted(by_class.items())}
    return _document(classes)


def _document(classes: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "features": list(FEATURES), "alpha": ALPHA, "classes": classes}


def _class(population: Iterable[Request], calibration: Iterable[Request]) -> dict[str, Any]:
    vectors = np.stack([features(request) for request in population])
    middle, spread = (np.round(part, _DIGITS) for part in middle_and_spread(vectors))
    scores = [strangeness(features(request), middle, spread) for request in calibration]
    return {
        "middle": [float(value) for value in middle],
        "spread": [float(value) for value in spread],
        "scores": [round(float(value), _DIGITS) for value in sorted_scores(scores)],
    }
