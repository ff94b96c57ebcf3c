"""The parts of an expression."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, string, boolean or null as written."""

    value: Any


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """``operand[key]``; ``operand.name`` is the same with a literal key."""

    operand: "Node"
    key: "Node"


@dataclass(frozen=True, slots=True)
class Has:
    """``has(operand.name)``."""

    operand: "Node"
    name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator, or a function, applied to values."""

    name: str
    arguments: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Logic:
    """``left && right`` if ``stop`` is False, ``left || right`` if it is True."""

    stop: bool
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Choice:
    """``test ? yes : no``."""

    test: "Node"
    yes: "Node"
    no: "Node"


@dataclass(frozen=True, slots=True)
class Items:
    """``[a, b]``."""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Macro:
    """``operand.kind(variable, body)``."""

    kind: str
    operand: "Node"
    variable: str
    body: "Node"


Node = Literal | Name | Member | Has | Operation | Logic | Choice | Items | Macro
