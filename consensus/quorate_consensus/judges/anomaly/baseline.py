"""The baseline: for each action class a population's middle and spread, and calibrated scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
import numpy as np

from quorate.errors import InvalidInput
from quorate.statements import convert
from quorate_features.conformal import CALIBRATION_MIN, Scores
from quorate_features.population import FEATURES, Vector

CLASSES_MAX: Final = 64
SCORES_MAX: Final = 20_000

_Number = Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]
_Spread = Annotated[float, msgspec.Meta(gt=0, le=1e6)]
_Numbers = Annotated[
    tuple[_Number, ...], msgspec.Meta(min_length=len(FEATURES), max_length=len(FEATURES))
]
_Spreads = Annotated[
    tuple[_Spread, ...], msgspec.Meta(min_length=len(FEATURES), max_length=len(FEATURES))
]


class _Class(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    middle: _Numbers
    spread: _Spreads
    scores: Annotated[
        tuple[_Number, ...], msgspec.Meta(min_length=CALIBRATION_MIN, max_length=SCORES_MAX)
    ]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Annotated[int, msgspec.Meta(ge=1, le=1)]
    features: tuple[str, ...]
    alpha: Annotated[float, msgspec.Meta(gt=0, le=0.2)]
    classes: Annotated[dict[str, _Class], msgspec.Meta(min_length=1, max_length=CLASSES_MAX)]


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """One action class."""

    middle: Vector
    spread: Vector
    scores: Scores


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """``alpha`` is the p-value that denies. Populations by action class."""

    alpha: float
    classes: Mapping[str, Population]


def read_baseline(document: dict[str, Any]) -> Baseline:
    """Read a baseline. Raises InvalidInput for other features than this program counts, for scores
    that are not sorted, and for fewer than ``alpha`` needs."""
    file = convert(document, _File, "anomaly")
    if file.features != FEATURES:
        raise InvalidInput("are not the ones that are counted", field="anomaly.features")
    classes = {}
    for name, one in file.classes.items():
        scores = np.array(one.scores, dtype=np.float64)
        if (np.diff(scores) < 0).any():
            raise InvalidInput("must be sorted", field=f"anomaly.classes.{name}.scores")
        if 1 / (1 + len(scores)) > file.alpha:
            raise InvalidInput(f"too few for {file.alpha}", field=f"anomaly.classes.{name}.scores")
        classes[name] = Population(
            np.array(one.middle, dtype=np.float64), np.array(one.spread, dtype=np.float64), scores
        )
    return Baseline(file.alpha, classes)
