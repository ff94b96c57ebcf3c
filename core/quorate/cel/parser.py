"""From tokens to an expression: CEL's grammar as far as the subset goes."""

from collections.abc import Callable
from typing import Any, Final

from quorate import limits
from quorate.cel.nodes import Choice, Has, Items, Literal, Logic, Macro, Member, Name, Node
from quorate.cel.nodes import Operation as Op
from quorate.cel.tokens import Token, tokens_of
from quorate.errors import InvalidInput, LimitExceeded

RELATIONS: Final = ("==", "!=", "<", "<=", ">", ">=", "in")
MACROS: Final = ("all", "exists", "exists_one", "filter")
FUNCTIONS: Final = {"size": 1, "int": 1, "double": 1, "string": 1}
METHODS: Final = {"size": 0, "startsWith": 1, "endsWith": 1, "contains": 1}
"""How many arguments each takes."""
INTEGER_MIN: Final = -(2**63)
INTEGER_MAX: Final = 2**63 - 1


def parse(text: str, variables: frozenset[str]) -> Node:
    """Read an expression over ``variables``. Raises InvalidInput, LimitExceeded."""
    if len(text) > limits.CONDITION_CHARS:
        raise LimitExceeded(f"must have at most {limits.CONDITION_CHARS} characters")
    return _Parser(tokens_of(text), variables).whole()


class _Parser:
    def __init__(self, tokens: list[Token], variables: frozenset[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._known = list(variables)

    def whole(self) -> Node:
        node = self._expression()
        if self._next.kind != "end":
            raise self._unexpected()
        return node

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _unexpected(self) -> InvalidInput:
        token = self._next
        what = "the end" if token.kind == "end" else repr(token.value)
        return InvalidInput(f"{what} at {token.at} is not expected")

    def _take(self, *operators: str) -> str | None:
        token = self._next
        if token.kind != "op" or token.value not in operators:
            return None
        self._at += 1
        return str(token.value)

    def _expect(self, operator: str) -> None:
        if not self._take(operator):
            raise InvalidInput(f"{operator!r} is missing at {self._next.at}")

    def _name(self) -> str:
        token = self._next
        if token.kind != "name":
            raise self._unexpected()
        self._at += 1
        return str(token.value)

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > limits.CONDITION_DEPTH:
            raise LimitExceeded(f"nested deeper than {limits.CONDITION_DEPTH} levels")

    def _nested(self, part: Callable[[], Node]) -> Node:
        before = self._depth
        self._deeper()
        node = part()
        self._depth = before
        return node

    def _expression(self) -> Node:
        return self._nested(self._choice)

    def _choice(self) -> Node:
        node = self._or()
        if not self._take("?"):
            return node
        yes = self._or()
        self._expect(":")
        return Choice(node, yes, self._expression())

    def _or(self) -> Node:
        return self._chain(("||",), self._and)

    def _and(self) -> Node:
        return self._chain(("&&",), self._relation)

    def _relation(self) -> Node:
        return self._chain(RELATIONS, self._sum)

    def _sum(self) -> Node:
        return self._chain(("+", "-"), self._product)

    def _product(self) -> Node:
        return self._chain(("*", "/", "%"), self._unary)

    def _chain(self, operators: tuple[str, ...], part: Callable[[], Node]) -> Node:
        """Operators of one rank, from left to right: each link is a level deeper."""
        before = self._depth
        node = part()
        while operator := self._take(*operators):
            self._deeper()
            right = part()
            logic = operator in ("||", "&&")
            node = Logic(operator == "||", node, right) if logic else Op(operator, (node, right))
        self._depth = before
        return node

    def _unary(self) -> Node:
        if self._take("!"):
            return Op("!", (self._nested(self._unary),))
        if self._take("-"):
            token = self._next
            if token.kind == "value" and type(token.value) in (int, float):
                # The least integer has no positive counterpart, so the sign belongs to it.
                self._at += 1
                return self._members(self._number(-token.value))
            return Op("neg", (self._nested(self._unary),))
        return self._members(self._primary())

    def _number(self, value: Any) -> Node:
        if type(value) is int and not INTEGER_MIN <= value <= INTEGER_MAX:
            raise InvalidInput(f"{value} is no 64-bit integer")
        return Literal(value)

    def _primary(self) -> Node:
        token = self._next
        if token.kind == "value":
            self._at += 1
            return self._number(token.value)
        if self._take("("):
            node = self._expression()
            self._expect(")")
            return node
        if self._take("["):
            return Items(self._arguments("]"))
        name = self._name()
        return self._function(name, token.at) if self._take("(") else self._variable(name, token)

    def _variable(self, name: str, token: Token) -> Node:
        if name not in self._known:
            known = ", ".join(sorted(set(self._known)))
            raise InvalidInput(f"{name} at {token.at} is not known; known is {known}")
        return Name(name)

    def _function(self, name: str, at: int) -> Node:
        arguments = self._arguments(")")
        if name == "has":
            match arguments:
                case (Member(operand=operand, key=Literal(value=str() as field)),):
                    return Has(operand, field)
            raise InvalidInput(f"has at {at} must be about one field, as in has(predicate.url)")
        if FUNCTIONS.get(name) != len(arguments):
            raise InvalidInput(f"{name} at {at} is no function of {len(arguments)} arguments")
        return Op(name, arguments)

    def _arguments(self, end: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self._take(end):
            if found:
                self._expect(",")
            found.append(self._expression())
        return tuple(found)

    def _members(self, node: Node) -> Node:
        before = self._depth
        while operator := self._take(".", "["):
            self._deeper()
            if operator == "[":
                node = Member(node, self._expression())
                self._expect("]")
                continue
            at, name = self._next.at, self._name()
            node = self._method(node, name, at) if self._take("(") else Member(node, Literal(name))
        self._depth = before
        return node

    def _method(self, operand: Node, name: str, at: int) -> Node:
        if name in MACROS:
            return self._macro(operand, name)
        arguments = self._arguments(")")
        if METHODS.get(name) != len(arguments):
            raise InvalidInput(f"{name} at {at} is no method of {len(arguments)} arguments")
        return Op(name, (operand, *arguments))

    def _macro(self, operand: Node, kind: str) -> Node:
        variable = self._name()
        self._expect(",")
        self._known.append(variable)
        body = self._expression()
        self._known.pop()
        self._expect(")")
        return Macro(kind, operand, variable, body)
