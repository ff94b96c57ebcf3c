"""From text to tokens."""

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from quorate.errors import InvalidInput

Kind = Literal["value", "name", "op", "end"]

_TOKEN: Final = re.compile(
    r"""(?P<double>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)
      | (?P<int>[0-9]+)
      | (?P<string>"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*')
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<op>\|\||&&|==|!=|<=|>=|[<>!+\-*/%?:.,()\[\]])""",
    re.VERBOSE,
)
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_ESCAPE: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)")
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "'": "'"}
_CONSTANTS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}
RESERVED: Final = frozenset(
    {
        *("as", "break", "const", "continue", "else", "for", "function", "if", "import", "let"),
        *("loop", "package", "namespace", "return", "var", "void", "while"),
    }
)
"""CEL keeps these words for itself."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token; ``at`` is its place in the text, from 0."""

    kind: Kind
    value: Any
    at: int


def tokens_of(text: str) -> list[Token]:
    """All tokens and a last one of kind ``end``. Raises InvalidInput with the place."""
    found: list[Token] = []
    at = _skip(text, 0)
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise InvalidInput(f"{text[at]!r} at {at} is not expected")
        found.append(_token(match, at))
        end = match.end()
        if match.lastgroup in ("int", "double") and text[end : end + 1].isidentifier():
            raise InvalidInput(f"a number at {at} must be decimal and have no suffix")
        at = _skip(text, end)
    found.append(Token("end", "", len(text)))
    return found


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _token(match: re.Match[str], at: int) -> Token:
    text = match.group()
    match match.lastgroup:
        case "double":
            return Token("value", float(text), at)
        case "int":
            return Token("value", int(text), at)
        case "string":
            return Token("value", _string(text[1:-1], at), at)
        case "name" if text in _CONSTANTS:
            return Token("value", _CONSTANTS[text], at)
        case "name" if text in RESERVED:
            raise InvalidInput(f"{text} at {at} is a reserved word")
        case "name" if text != "in":
            return Token("name", text, at)
    return Token("op", text, at)


def _string(body: str, at: int) -> str:
    def character(escape: re.Match[str]) -> str:
        code = escape.group(1)
        if len(code) > 1 and not 0xD800 <= int(code[1:], 16) <= 0xDFFF:
            return chr(int(code[1:], 16))
        if code not in _ESCAPES:
            raise InvalidInput(f"the escape \\{code} at {at} is not known")
        return _ESCAPES[code]

    return _ESCAPE.sub(character, body)
