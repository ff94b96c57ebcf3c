"""Suites as plug-ins: found by entry point, checked, and never in place of what ships."""

from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from quorate.errors import InvalidInput
from quorate_evaluation import catalog
from quorate_evaluation.digests import sha256
from quorate_evaluation.interface import Answer, Case, Message, Scores, Threshold
from quorate_evaluation.rates import rate
from quorate_evaluation.suites.bias import Bias


class Polite:
    """A plug-in's suite."""

    name = "polite"
    summary = "says please"
    digest = dataset_digest = sha256(b"polite")
    thresholds = (Threshold("rude", True, 0.1),)

    def cases(self, seed: int) -> list[Case]:
        return [Case("one", (Message("user", "hello"),))]

    def score(self, answers: dict[str, Answer], seed: int) -> Scores:
        return Scores((rate("rude", 0, len(answers)),))


def broken() -> None:
    raise RuntimeError("boom")


def offering(monkeypatch: pytest.MonkeyPatch, **offers: Callable[[], Any]) -> None:
    """Install plug-ins for one test."""

    class Point:
        def __init__(self, make: Callable[[], Any]) -> None:
            self.make = make

        def load(self) -> Callable[[], Any]:
            return self.make

    points = {name: Point(make) for name, make in offers.items()}
    monkeypatch.setattr(catalog, "plug_ins", lambda: points)


def test_a_plug_in_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an entry point offers under its name is a suite."""
    offering(monkeypatch, polite=Polite)
    assert catalog.find("polite").summary == "says please"


def test_what_ships_cannot_be_displaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plug-in named as a suite that ships is not that suite."""
    offering(monkeypatch, bias=Polite)
    assert isinstance(catalog.find("bias"), Bias)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "other"}, "must be its name"),
        ({"digest": "abc"}, "digest"),
        ({"thresholds": ()}, "at least one Threshold"),
        ({"cases": None}, "no method cases"),
        ({"summary": None}, "must be a text"),
    ],
)
def test_a_plug_in_that_is_no_suite_is_refused(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], message: str
) -> None:
    """What a plug-in offers is checked before it is run."""
    offering(monkeypatch, polite=type("Odd", (Polite,), change))
    with pytest.raises(InvalidInput, match=message):
        catalog.find("polite")


def test_a_plug_in_that_fails_to_load_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Foreign code that raises is an error with its name, no traceback."""
    offering(monkeypatch, polite=broken)
    with pytest.raises(InvalidInput, match="polite: cannot be loaded"):
        catalog.find("polite")


def test_an_unknown_suite_lists_the_others() -> None:
    """Who misspells a name sees those there are."""
    with pytest.raises(InvalidInput, match="over-refusal, secret-leakage, bias"):
        catalog.find("over-refusals")


def test_plug_ins_come_from_the_documented_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry-point group is the documented one."""
    asked: list[str] = []

    def entry_points(*, group: str) -> list[EntryPoint]:
        asked.append(group)
        return [EntryPoint("polite", "package:suite", group)]

    monkeypatch.setattr(catalog, "entry_points", entry_points)
    assert list(catalog.plug_ins()) == ["polite"]
    assert asked == ["quorate.suites"]
