"""What operators and functions do with values, and what that costs.

Values are those of a JSON document. Numbers of both kinds compare as numbers; values of different
kinds are unequal; everything else between kinds is an error.
"""

import math
import re
from collections.abc import Callable
from typing import Any, Final

from quorate.cel.parser import INTEGER_MAX, INTEGER_MIN
from quorate.errors import EvidenceError

_DECIMAL: Final = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,4})?\Z", re.ASCII)
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}\Z", re.ASCII)
_CHARS_A_STEP: Final = 64
"""Characters that one step of cost compares or searches."""


class ConditionError(EvidenceError):
    """A condition has no answer for this document, or none within its budget."""


class Meter:
    """Counts down what an evaluation may still cost, in steps."""

    __slots__ = ("left",)

    def __init__(self, budget: int) -> None:
        self.left = budget

    def spend(self, steps: int = 1) -> None:
        """Raise ConditionError if that is more than what is left."""
        self.left -= steps
        if self.left < 0:
            raise OverBudget("the condition costs more than its budget on this document")


class OverBudget(ConditionError):
    """Not absorbed by ``||`` and ``&&``: an answer must not depend on how far the budget went."""


def kind(value: Any) -> str:
    """CEL's name for the type of a value."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "double"
        case str():
            return "string"
        case list():
            return "list"
    return "map"


def equal(left: Any, right: Any, meter: Meter) -> bool:
    """Whether two values are equal."""
    meter.spend()
    kinds = kind(left), kind(right)
    if set(kinds) <= {"int", "double"}:
        return bool(left == right)
    if kinds[0] != kinds[1]:
        return False
    if kinds[0] == "string":
        return _same_text(left, right, meter)
    if kinds[0] == "list":
        same = len(left) == len(right)
        return same and all(equal(a, b, meter) for a, b in zip(left, right, strict=True))
    if kinds[0] == "map":
        meter.spend(len(left))
        return left.keys() == right.keys() and all(equal(left[k], right[k], meter) for k in left)
    return bool(left == right)


def _same_text(left: str, right: str, meter: Meter) -> bool:
    if len(left) != len(right):
        return False
    meter.spend(len(left) // _CHARS_A_STEP)
    return left == right


def within(item: Any, holder: Any, meter: Meter) -> bool:
    """``item in holder``: an element of a list, or a key of a map."""
    if isinstance(holder, list):
        return any(equal(item, element, meter) for element in holder)
    if isinstance(holder, dict):
        return isinstance(item, str) and item in holder
    raise _no("in", item, holder)


def compare(operator: str, left: Any, right: Any, meter: Meter) -> bool:
    """Order numbers, or strings by code point."""
    kinds = {kind(left), kind(right)}
    if kinds == {"string"}:
        meter.spend(min(len(left), len(right)) // _CHARS_A_STEP)
    elif not kinds <= {"int", "double"}:
        raise _no(operator, left, right)
    match operator:
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
    return bool(left >= right)


def arithmetic(operator: str, left: Any, right: Any) -> int | float:
    """Two numbers of one kind. Overflow and division by zero are errors."""
    kinds = {kind(left), kind(right)}
    if kinds == {"double"} and operator != "%":
        return _double(operator, left, right)
    if kinds != {"int"}:
        raise _no(operator, left, right)
    if operator in "/%" and right == 0:
        raise ConditionError("division by zero")
    match operator:
        case "+":
            result = left + right
        case "-":
            result = left - right
        case "*":
            result = left * right
        case "/":
            result = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        case _:
            result = abs(left) % abs(right) * (-1 if left < 0 else 1)
    return _integer(result)


def _double(operator: str, left: float, right: float) -> float:
    if operator == "/" and right == 0:
        raise ConditionError("division by zero")
    result = {
        "+": lambda: left + right,
        "-": lambda: left - right,
        "*": lambda: left * right,
        "/": lambda: left / right,
    }[operator]()
    if not math.isfinite(result):
        raise ConditionError("the result is no finite number")
    return float(result)


def _integer(value: int) -> int:
    if not INTEGER_MIN <= value <= INTEGER_MAX:
        raise ConditionError("the result is no 64-bit integer")
    return value


def negate(value: Any, _meter: Meter) -> int | float:
    """``-value``."""
    if kind(value) not in ("int", "double"):
        raise _no("-", value)
    return _integer(-value) if kind(value) == "int" else -float(value)


def size(value: Any, _meter: Meter) -> int:
    """Characters of a string, elements of a list, keys of a map."""
    if kind(value) not in ("string", "list", "map"):
        raise _no("size", value)
    return len(value)


def to_double(value: Any, _meter: Meter) -> float:
    """A number as double; a string must be decimal."""
    if kind(value) in ("int", "double"):
        return float(value)
    if isinstance(value, str) and _DECIMAL.match(value) and math.isfinite(float(value)):
        return float(value)
    raise _no("double", value)


def to_int(value: Any, _meter: Meter) -> int:
    """A number as int, towards zero; a string must be decimal."""
    if kind(value) in ("int", "double"):
        return _integer(int(value))
    if isinstance(value, str) and _INTEGER.match(value):
        return _integer(int(value))
    raise _no("int", value)


def to_string(value: Any, _meter: Meter) -> str:
    """Integers and strings. Doubles have no one spelling."""
    if kind(value) in ("int", "string"):
        return str(value)
    raise _no("string", value)


def search(name: str, test: Callable[[str, str], bool]) -> Callable[[Any, Any, Meter], bool]:
    """A test of one string against another."""

    def run(text: Any, part: Any, meter: Meter) -> bool:
        if not (isinstance(text, str) and isinstance(part, str)):
            raise _no(name, text, part)
        meter.spend((len(text) + len(part)) // _CHARS_A_STEP)
        return test(text, part)

    return run


def member(holder: Any, key: Any, _meter: Meter) -> Any:
    """A field of a map, or an element of a list."""
    if isinstance(holder, dict) and isinstance(key, str):
        if key in holder:
            return holder[key]
        raise ConditionError(f"there is no {key[:80]}")
    if isinstance(holder, list) and kind(key) == "int":
        if 0 <= key < len(holder):
            return holder[key]
        raise ConditionError(f"there is no element {key}")
    raise _no("[]", holder, key)


def _no(operator: str, *values: Any) -> ConditionError:
    kinds = " and ".join(kind(value) for value in values)
    return ConditionError(f"{operator} does not take {kinds}")
