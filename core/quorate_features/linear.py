"""A linear model over hashed character n-grams: small, exact, and the same on every machine.

Weights are whole numbers, so a window's score is one division away from integer arithmetic.
A text is read in windows and scores as its most suspicious one: a long harmless text around a
short instruction changes nothing.
"""

import io
import threading
import zipfile
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quorate.errors import InvalidInput, LimitExceeded
from quorate.text import views
from quorate_features.shingles import code_points, ngrams_of

SIZES: Final = (3, 4, 5, 7)
BUCKETS: Final = 1 << 16
WINDOW: Final = 320
"""Characters a window has; half as many lie between the beginnings of two."""
WINDOWS_MAX: Final = 2_048
FILE_BYTES: Final = 1 << 20
_ARRAYS: Final = {"weights": (np.int8, (BUCKETS,)), "scale": (np.float64, (3,))}


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """``weights`` in units of ``unit``; a window's margin is their sum over its n-grams, divided by
    the root of their number, plus ``bias``. ``threshold`` is the margin that denies."""

    weights: NDArray[np.int8]
    unit: float
    bias: float
    threshold: float

    def margin(self, text: str) -> float:
        """The highest margin of any window of ``text``, which is in its normal form.

        Raises LimitExceeded for a text of more than WINDOWS_MAX windows.
        """
        return max(map(self._margin_of_all, _windows(text)))

    def suspicion(self, text: str) -> float:
        """The highest margin of ``text`` as it is and of all it decodes to."""
        return max(self.margin(view) for view in views(text))

    def margin_of(self, features: NDArray[np.int64]) -> float:
        """The margin of one window's distinct buckets."""
        return self._scaled(self.weights[features], len(features))

    def _margin_of_all(self, features: NDArray[np.int64]) -> float:
        """The margin of one window's buckets, each as often as it is there."""
        once = _once(features)
        return self._scaled(self.weights[features][once], int(np.count_nonzero(once)))

    def _scaled(self, found: NDArray[np.int8], count: int) -> float:
        if not count:
            return self.bias
        total = int(found.sum(dtype=np.int64))
        return float(total * self.unit / float(np.sqrt(count)) + self.bias)


class _Places(threading.local):
    """For each bucket where it was seen last, in the window that a thread looks at. Never cleared:
    only what was written for that window is read for it."""

    def __init__(self) -> None:
        self.last = np.zeros(BUCKETS, dtype=np.int32)


_places = _Places()
_NUMBERED: Final = np.arange(len(SIZES) * WINDOW, dtype=np.int32)


def _once(features: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where each bucket stands once of all the times it is there: faster than sorting."""
    numbered = _NUMBERED[: len(features)]
    last = _places.last
    last[features] = numbered
    once: NDArray[np.bool_] = last[features] == numbered
    return once


def windows(text: str) -> list[NDArray[np.int64]]:
    """The distinct buckets of each window of ``text``; of one without characters, none."""
    return [np.unique(found) for found in _windows(text)]


def _windows(text: str) -> list[NDArray[np.int64]]:
    """The buckets of each window, each as often as it is there."""
    text = f" {text} "
    step = WINDOW // 2
    starts = range(0, max(1, len(text) - step), step)
    if len(starts) > WINDOWS_MAX:
        raise LimitExceeded(f"a text of more than {WINDOWS_MAX} windows")
    hashed = [
        (of_size & np.uint64(BUCKETS - 1)).view(np.int64)
        for of_size in ngrams_of(code_points(text), SIZES)
    ]
    found = []
    for start in starts:
        parts = [
            of_size[start : max(start, start + WINDOW - size + 1)]
            for size, of_size in zip(SIZES, hashed, strict=True)
        ]
        found.append(np.concatenate(parts))
    return found


def save(model: Linear) -> bytes:
    """The model as an uncompressed ``.npz`` whose bytes depend on its numbers alone."""
    scale = np.array([model.unit, model.bias, model.threshold], dtype=np.float64)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in (("scale", scale), ("weights", model.weights)):
            data = io.BytesIO()
            np.lib.format.write_array(data, array, version=(1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data.getvalue())
    return out.getvalue()


def load(data: bytes) -> Linear:
    """Read a model. Raises InvalidInput for anything but two arrays of the right shape."""
    found: dict[str, NDArray[np.generic]] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if sorted(entry.filename for entry in entries) != ["scale.npy", "weights.npy"]:
                raise InvalidInput("holds other arrays", field="model")
            if sum(entry.file_size for entry in entries) > FILE_BYTES:
                raise LimitExceeded(f"unpacks to more than {FILE_BYTES} bytes", field="model")
            for entry in entries:
                with archive.open(entry) as file:
                    content = io.BytesIO(file.read(FILE_BYTES))
                name = entry.filename.removesuffix(".npy")
                found[name] = np.lib.format.read_array(content, allow_pickle=False)
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError) as error:
        raise InvalidInput(f"is no model: {error}", field="model") from None
    for name, (kind, shape) in _ARRAYS.items():
        if found[name].dtype != kind or found[name].shape != shape:
            raise InvalidInput(f"{name} has another shape or type", field="model")
    unit, bias, threshold = (float(value) for value in found["scale"].astype(np.float64))
    if not np.isfinite([unit, bias, threshold]).all() or unit <= 0:
        raise InvalidInput("scale must be finite", field="model")
    return Linear(found["weights"].astype(np.int8), unit, bias, threshold)
