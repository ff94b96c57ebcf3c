"""``all``, ``exists``, ``exists_one`` and ``filter`` over a list's elements or a map's keys."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from quorate.cel.values import ConditionError, Meter, OverBudget, kind

Run = Callable[[dict[str, Any], Meter], Any]


def macro(name: str, operand: Run, variable: str, body: Run) -> Run:
    """Compile a macro whose ``body`` sees each element as ``variable``."""
    over = _Over(name, operand, variable, body)
    match name:
        case "all" | "exists":
            return lambda scope, meter: over.quantified(name == "exists", scope, meter)
        case "exists_one":
            return lambda scope, meter: sum(yes for _, yes in over.answers(scope, meter)) == 1
    return lambda scope, meter: [element for element, yes in over.answers(scope, meter) if yes]


@dataclass(frozen=True, slots=True)
class _Over:
    """A body to be asked about each element of an operand."""

    name: str
    operand: Run
    variable: str
    body: Run

    def quantified(self, stop: bool, scope: dict[str, Any], meter: Meter) -> bool:
        """``stop`` if any element answers so, even where another has no answer; else not."""
        failure: ConditionError | None = None
        for element in self._elements(scope, meter):
            try:
                if self._answer(element, scope, meter) is stop:
                    return stop
            except OverBudget:
                raise
            except ConditionError as error:
                failure = failure or error
        if failure is not None:
            raise failure
        return not stop

    def answers(self, scope: dict[str, Any], meter: Meter) -> Iterator[tuple[Any, bool]]:
        """Each element and its answer."""
        for element in self._elements(scope, meter):
            yield element, self._answer(element, scope, meter)

    def _elements(self, scope: dict[str, Any], meter: Meter) -> list[Any]:
        meter.spend()
        holder = self.operand(scope, meter)
        if not isinstance(holder, list | dict):
            raise ConditionError(f"{self.name} does not take {kind(holder)}")
        meter.spend(len(holder))
        return list(holder)

    def _answer(self, element: Any, scope: dict[str, Any], meter: Meter) -> bool:
        value = self.body(scope | {self.variable: element}, meter)
        if not isinstance(value, bool):
            raise ConditionError(f"{self.name} needs true or false, not {kind(value)}")
        return value
