"""Reading a body in the only way there is, and writing it again.

What is forwarded is what was checked: the typed value, serialised anew, never the client's bytes.
Two parsers may still be tempted to read the client's bytes differently, so these are refused too:
duplicate keys, keys that differ only in case, NaN, lone surrogates, a byte order mark, depth.

:func:`quorate.canonical.parse` gives the same guarantees by walking every object in Python. Here
the types do it: unknown keys, and so other spellings, are refused by the decoder; a duplicate key
shows in the number of colons, because serialising again loses one.
"""

import re
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from quorate import canonical, limits
from quorate.errors import InvalidInput
from quorate_sidecar.refusal import Code, Refusal

T = TypeVar("T", bound=msgspec.Struct)

NAMING_BYTES = 64 * limits.KIB
"""Up to this size a duplicate key is looked up again so that the refusal can name it."""

_ESCAPED_COLON = re.compile(rb"\\\\|\\u003[aA]")
_AT = re.compile(r" - at `\$\.?(?P<path>[^`]*)`\Z")
_UNKNOWN = re.compile(r"unknown field `(?P<name>[^`]*)`")
_PARAM_LENGTH = 120

encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode
"""Serialise a typed value as it is forwarded or released."""


def malformed(message: str, param: str = "") -> Refusal:
    """The refusal for a body that is not what it must be."""
    return Refusal(400, Code.MALFORMED, message, param=param[:_PARAM_LENGTH])


class StrictDecoder(Generic[T]):
    """Decodes bodies of one type, all of whose fields are typed and closed."""

    def __init__(self, kind: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(kind)

    def decode(self, body: bytes) -> tuple[T, bytes]:
        """The value of ``body`` and its serialised form. Raises Refusal with the field's name."""
        try:
            value = self._decoder.decode(body)
        except msgspec.ValidationError as error:
            raise _refusal(str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise malformed(f"the body is not valid JSON: {error}") from None
        except RecursionError:
            raise malformed(f"the body is nested deeper than {limits.JSON_DEPTH} levels") from None
        again = encode(value)
        if again.count(b":") != _colons(body):
            raise malformed("a key appears twice", _duplicate(body))
        return value, again


def _colons(body: bytes) -> int:
    """Colons in a valid JSON text once its strings are unescaped."""
    count = body.count(b":")
    if b"\\u003" in body:
        count += sum(found != b"\\\\" for found in _ESCAPED_COLON.findall(body))
    return count


def _duplicate(body: bytes) -> str:
    if len(body) > NAMING_BYTES:
        return ""
    try:
        canonical.parse(body)
    except InvalidInput as error:
        return error.field
    return ""


def _refusal(error: str) -> Refusal:
    """Turn the decoder's message into one that names the field."""
    at = _AT.search(error)
    path = at["path"] if at else ""
    message = error[: at.start()] if at else error
    if unknown := _UNKNOWN.search(message):
        param = f"{path}.{unknown['name']}" if path else unknown["name"]
        return malformed(
            f"the field {param[:_PARAM_LENGTH]} is not one this sidecar knows and can check", param
        )
    return malformed(f"{path or 'body'}: {message}", path)


class FreeForm:
    """Walks a JSON value without a type, such as a tool's schema: keys, depth, and its texts."""

    def __init__(self, where: str, take: Callable[[str, str], None]) -> None:
        self._where = where
        self._take = take

    def walk(self, value: Any, depth: int = 4) -> None:
        """Give every key and every string to ``take``. Raises Refusal. Bounded by JSON_DEPTH."""
        if depth > limits.JSON_DEPTH:
            raise malformed(f"nested deeper than {limits.JSON_DEPTH} levels", self._where)
        if isinstance(value, str):
            self._take(self._where, value)
        elif isinstance(value, list):
            for item in value:
                self.walk(item, depth + 1)
        elif isinstance(value, dict):
            if len({key.casefold() for key in value}) != len(value):
                raise malformed("a key appears in two spellings", self._where)
            for key, item in value.items():
                self._take(self._where, key)
                self.walk(item, depth + 1)
