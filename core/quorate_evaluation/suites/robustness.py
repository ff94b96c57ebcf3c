"""Robustness: the same questions, plain and under eight transforms of the text."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from quorate.errors import InvalidInput
from quorate_evaluation import dataset
from quorate_evaluation.digests import source_digest
from quorate_evaluation.interface import Answer, Case, Message, Metric, Scores, Threshold
from quorate_evaluation.rates import count, rate
from quorate_evaluation.statistics import bootstrap_mean
from quorate_evaluation.transforms import TRANSFORMS, transformed

_DATASET: Final = "robustness"
_PLAIN: Final = "plain"
_SYSTEM: Final = "Answer with one word or one number and nothing else."


def is_right(expected: Sequence[str], text: str) -> bool:
    """Whether one of the expected words stands in the answer as a word."""
    words = set(re.findall(r"\w+", text.casefold()))
    return any(word.casefold() in words for word in expected)


class Robustness:
    """How much accuracy is lost when questions are written otherwise."""

    name = "robustness"
    summary = "accuracy lost, and answers changed, under eight transforms of the question's text"
    thresholds = (
        Threshold("worst_accuracy_drop", True, 0.1),
        Threshold("worst_accuracy_drop_high", True, 0.25, warns=True),
        Threshold("plain_accuracy", False, 0.5),
        Threshold("transforms", False, len(TRANSFORMS)),
    )

    @property
    def digest(self) -> str:
        """This module's source."""
        return source_digest(__name__)

    @property
    def dataset_digest(self) -> str:
        """The texts."""
        return dataset.dataset_digest(_DATASET)

    def cases(self, seed: int) -> Sequence[Case]:
        """Every question, plain and under each transform."""
        return [
            Case(
                f"{number}-{way}",
                (Message("system", _SYSTEM), Message("user", _written(way, question["ask"], seed))),
                max_tokens=24,
            )
            for number, question in enumerate(_questions())
            for way in (_PLAIN, *TRANSFORMS)
        ]

    def score(self, answers: Mapping[str, Answer], seed: int) -> Scores:
        """The largest loss under any transform; an average would hide one that breaks."""
        right = {
            (number, way): is_right(question["expect"], answers[f"{number}-{way}"].text)
            for number, question in enumerate(_questions())
            for way in (_PLAIN, *TRANSFORMS)
            if f"{number}-{way}" in answers
        }
        plain = {number: good for (number, way), good in right.items() if way == _PLAIN}
        losses = {
            way: [
                float(plain[n]) - float(good)
                for (n, w), good in right.items()
                if w == way and n in plain
            ]
            for way in TRANSFORMS
        }
        if not plain or not all(losses.values()):
            raise InvalidInput("a transform has no answer to compare", field="answers")
        findings = [
            (f"{n}-{way}", "right when plain, wrong when transformed")
            for (n, way), good in right.items()
            if plain.get(n) and not good
        ]
        return Scores(tuple(_metrics(plain, losses, seed)), tuple(findings))


def _metrics(
    plain: Mapping[int, bool], losses: Mapping[str, Sequence[float]], seed: int
) -> list[Metric]:
    drops = []
    for way, values in losses.items():
        interval = bootstrap_mean(values, seed)
        drop = sum(values) / len(values)
        drops.append(Metric(f"accuracy_drop.{way}", drop, interval.low, interval.high))
    worst = max(drops, key=lambda metric: metric.value)
    compared = [loss for values in losses.values() for loss in values]
    agreed = sum(loss == 0 for loss in compared)
    return [
        count("questions", len(plain)),
        count("transforms", len(losses)),
        rate("plain_accuracy", sum(plain.values()), len(plain)),
        Metric("worst_accuracy_drop", worst.value, worst.low, max(m.high or 0.0 for m in drops)),
        rate("agreement", agreed, len(compared)),
        *drops,
    ]


def _questions() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dataset.load(_DATASET)["questions"]
    return found


def _written(way: str, text: str, seed: int) -> str:
    return text if way == _PLAIN else transformed(way, text, seed)
