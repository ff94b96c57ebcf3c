"""A JSON value as a CEL literal, so that an expression can compare an object with it whole.

The API server hands an admission policy its object as plain maps and lists; comparing one with a
literal covers every field at once, those that a later Kubernetes version adds included.
"""

from typing import Any


class Expression(str):
    """CEL that stands in a literal as it is: a place where the value is only known later."""

    __slots__ = ()


def literal(value: Any, indent: int = 0) -> str:
    """CEL for a JSON value; an :class:`Expression` stays one.

    Values of a map, and of a list with expressions, are wrapped in ``dyn()``: the API server's CEL
    refuses literals of mixed types.
    """
    if isinstance(value, Expression):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    pad, end = "  " * (indent + 1), "  " * indent
    if isinstance(value, dict):
        items = [f"{_text(k)}: dyn({literal(v, indent + 1)})" for k, v in value.items()]
        opening, closing = "{", "}"
    elif isinstance(value, list):
        items = [literal(item, indent + 1) for item in value]
        if any(isinstance(item, Expression) for item in value):
            items = [f"dyn({item})" for item in items]
        opening, closing = "[", "]"
    else:
        raise TypeError(f"no CEL literal for {type(value).__name__}")
    if not items or (isinstance(value, list) and not isinstance(value[0], dict | list)):
        return f"{opening}{', '.join(items)}{closing}"
    lines = ",\n".join(f"{pad}{item}" for item in items)
    return f"{opening}\n{lines}\n{end}{closing}"


def _text(value: str) -> str:
    """A CEL string. Raises ValueError for what would need escaping: none of ours does."""
    if "'" in value:
        if '"' in value or "\\" in value or "\n" in value:
            raise ValueError(f"no CEL string for {value!r}")
        return f'"{value}"'
    if "\\" in value or "\n" in value:
        raise ValueError(f"no CEL string for {value!r}")
    return f"'{value}'"
