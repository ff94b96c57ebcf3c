"""Which suites there are: those that ship, and what other distributions offer as plug-ins."""

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from quorate.errors import InvalidInput
from quorate.manifest import check_digest
from quorate_evaluation.interface import ENTRY_POINTS, Suite, Threshold
from quorate_evaluation.suites.bias import Bias
from quorate_evaluation.suites.over_refusal import OverRefusal
from quorate_evaluation.suites.red_team import RedTeam
from quorate_evaluation.suites.robustness import Robustness
from quorate_evaluation.suites.secret_leakage import SecretLeakage

SHIPPED: Final[dict[str, Callable[[], Suite]]] = {
    "over-refusal": OverRefusal,
    "secret-leakage": SecretLeakage,
    "bias": Bias,
    "robustness": Robustness,
    "red-team": RedTeam,
}


def plug_ins() -> dict[str, EntryPoint]:
    """What is offered under the entry-point group, by name; loading it runs its code."""
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def find(name: str) -> Suite:
    """The suite of this name. What ships cannot be displaced by a plug-in.

    Raises InvalidInput if there is none, or the plug-in offers something else.
    """
    if name in SHIPPED:
        return SHIPPED[name]()
    offered = plug_ins()
    if name not in offered:
        known = ", ".join([*SHIPPED, *sorted(offered)])
        raise InvalidInput(f"there is no such suite; there are: {known}", field=name[:80])
    return _checked(name, _load(name, offered[name]))


def _load(name: str, point: EntryPoint) -> Any:
    try:
        return point.load()()
    except Exception as error:  # a plug-in is foreign code, and whatever it raises ends the run
        raise InvalidInput(f"cannot be loaded: {error!r}"[:300], field=name) from error


def _checked(name: str, suite: Any) -> Suite:
    for method in ("cases", "score"):
        if not callable(getattr(suite, method, None)):
            raise InvalidInput(f"has no method {method}", field=name)
    if getattr(suite, "name", None) != name:
        raise InvalidInput("must be its name, as its entry point's", field=f"{name}.name")
    for digest in ("digest", "dataset_digest"):
        check_digest(str(getattr(suite, digest, "")), f"{name}.{digest}")
    thresholds = getattr(suite, "thresholds", None)
    if not thresholds or not all(isinstance(item, Threshold) for item in thresholds):
        raise InvalidInput("must hold at least one Threshold", field=f"{name}.thresholds")
    if not isinstance(getattr(suite, "summary", None), str):
        raise InvalidInput("must be a text", field=f"{name}.summary")
    checked: Suite = suite
    return checked
