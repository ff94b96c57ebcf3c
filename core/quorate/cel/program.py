"""A compiled condition: closures over the expression's parts, and a budget for each evaluation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from quorate import limits
from quorate.cel import values
from quorate.cel.macros import macro
from quorate.cel.nodes import Choice, Has, Items, Literal, Logic, Macro, Member, Name, Node
from quorate.cel.nodes import Operation as Op
from quorate.cel.parser import parse
from quorate.cel.values import ConditionError, Meter, OverBudget
from quorate.errors import InvalidInput

Run = Callable[[dict[str, Any], Meter], Any]
PREDICATE: Final = "predicate"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition over one variable, as written and as compiled."""

    text: str
    _run: Run = field(compare=False, repr=False)
    variable: str = PREDICATE

    def holds(self, predicate: Mapping[str, Any]) -> bool:
        """Whether it is true of ``predicate``, the variable's value: a JSON object, as parsed.

        Raises ConditionError if it has no answer, or costs more than limits.CONDITION_COST steps.
        The same predicate has the same outcome, everywhere and always.
        """
        result = self._run({self.variable: predicate}, Meter(limits.CONDITION_COST))
        if not isinstance(result, bool):
            raise ConditionError(f"the condition is {values.kind(result)}, not true or false")
        return result


def compile_condition(text: str, where: str, variable: str = PREDICATE) -> Condition:
    """Compile a condition over ``variable``; InvalidInput names ``where``, a document's field."""
    try:
        node = parse(text, frozenset({variable}))
        _check_boolean(node)
    except InvalidInput as error:
        raise type(error)(error.message, field=where) from None
    return Condition(text, _compile(node), variable)


_NEVER_BOOLEAN: Final = frozenset(
    ("+", "-", "*", "/", "%", "neg", "size", "int", "double", "string")
)


def _check_boolean(node: Node) -> None:
    """Refuse what can be seen to be neither true nor false."""
    match node:
        case Literal(value=value) if not isinstance(value, bool):
            pass
        case Items() | Macro(kind="filter"):
            pass
        case Op(name=name) if name in _NEVER_BOOLEAN:
            pass
        case _:
            return
    raise InvalidInput("must be true or false")


def _compile(node: Node) -> Run:
    match node:
        case Literal(value=value):
            return _literal(value)
        case Name(name=name):
            return _name(name)
        case Member(operand=operand, key=Literal(value=key)):
            return _field(_compile(operand), key)
        case Member(operand=operand, key=key):
            return _binary(values.member, _compile(operand), _compile(key))
        case Has(operand=operand, name=name):
            return _has(_compile(operand), name)
        case Logic(stop=stop, left=left, right=right):
            return _logic(stop, _compile(left), _compile(right))
        case Choice(test=test, yes=yes, no=no):
            return _choice(_compile(test), _compile(yes), _compile(no))
        case Items(items=items):
            return _items([_compile(item) for item in items])
        case Macro(kind=kind, operand=operand, variable=variable, body=body):
            return macro(kind, _compile(operand), variable, _compile(body))
        case Op(name=name, arguments=(one,)):
            return _unary(_UNARY[name], _compile(one))
        case Op(name=name, arguments=(left, right)):
            return _binary(_BINARY[name], _compile(left), _compile(right))
    raise AssertionError(f"{node!r} is no expression")


def _literal(value: Any) -> Run:
    def run(_scope: dict[str, Any], meter: Meter) -> Any:
        meter.spend()
        return value

    return run


def _name(name: str) -> Run:
    def run(scope: dict[str, Any], meter: Meter) -> Any:
        meter.spend()
        return scope[name]

    return run


def _field(operand: Run, key: Any) -> Run:
    def run(scope: dict[str, Any], meter: Meter) -> Any:
        meter.spend()
        return values.member(operand(scope, meter), key, meter)

    return run


def _has(operand: Run, name: str) -> Run:
    def run(scope: dict[str, Any], meter: Meter) -> bool:
        meter.spend()
        holder = operand(scope, meter)
        if not isinstance(holder, dict):
            raise ConditionError(f"has does not take {values.kind(holder)}")
        return name in holder

    return run


def _boolean(value: Any, operator: str) -> bool:
    if not isinstance(value, bool):
        raise ConditionError(f"{operator} does not take {values.kind(value)}")
    return value


def _logic(stop: bool, left: Run, right: Run) -> Run:
    """Either side may decide, also when the other is an error: CEL's ``&&`` and ``||`` commute."""
    operator = "||" if stop else "&&"

    def run(scope: dict[str, Any], meter: Meter) -> bool:
        meter.spend()
        try:
            first = _boolean(left(scope, meter), operator)
        except OverBudget:
            raise
        except ConditionError:
            if _boolean(right(scope, meter), operator) is stop:
                return stop
            raise
        return stop if first is stop else _boolean(right(scope, meter), operator)

    return run


def _choice(test: Run, yes: Run, no: Run) -> Run:
    def run(scope: dict[str, Any], meter: Meter) -> Any:
        meter.spend()
        chosen = yes if _boolean(test(scope, meter), "?") else no
        return chosen(scope, meter)

    return run


def _items(items: list[Run]) -> Run:
    def run(scope: dict[str, Any], meter: Meter) -> list[Any]:
        meter.spend()
        return [item(scope, meter) for item in items]

    return run


def _unary(operation: Callable[[Any, Meter], Any], one: Run) -> Run:
    def run(scope: dict[str, Any], meter: Meter) -> Any:
        meter.spend()
        return operation(one(scope, meter), meter)

    return run


def _binary(operation: Callable[[Any, Any, Meter], Any], left: Run, right: Run) -> Run:
    def run(scope: dict[str, Any], meter: Meter) -> Any:
        meter.spend()
        return operation(left(scope, meter), right(scope, meter), meter)

    return run


def _relation(operator: str) -> Callable[[Any, Any, Meter], bool]:
    return lambda left, right, meter: values.compare(operator, left, right, meter)


def _arithmetic(operator: str) -> Callable[[Any, Any, Meter], int | float]:
    return lambda left, right, _meter: values.arithmetic(operator, left, right)


_UNARY: Final[Mapping[str, Callable[[Any, Meter], Any]]] = {
    "!": lambda value, _meter: not _boolean(value, "!"),
    "neg": values.negate,
    "size": values.size,
    "int": values.to_int,
    "double": values.to_double,
    "string": values.to_string,
}
_BINARY: Final[Mapping[str, Callable[[Any, Any, Meter], Any]]] = {
    "==": values.equal,
    "!=": lambda left, right, meter: not values.equal(left, right, meter),
    "in": values.within,
    **{operator: _relation(operator) for operator in ("<", "<=", ">", ">=")},
    **{operator: _arithmetic(operator) for operator in ("+", "-", "*", "/", "%")},
    "startsWith": values.search("startsWith", str.startswith),
    "endsWith": values.search("endsWith", str.endswith),
    "contains": values.search("contains", lambda text, part: part in text),
}
