"""JSON without room for two readings: a strict parser, and RFC 8785 for what is hashed.

Parsers differ on duplicate keys, on keys that differ only in case, on NaN and on depth; a document
that two programs read differently is an attack. So all of that is refused on the way in.
"""

import hashlib
import itertools
import json
import math
import re
from typing import Any, NoReturn

import rfc8785

from quorate import limits
from quorate.errors import InvalidInput, LimitExceeded

INTEGER_MAX = 2**53 - 1
"""Beyond it, parsers that read every number as a double (RFC 8785, RFC 7493) see another one."""

# Possessive, so that no text makes it try twice.
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKETS = re.compile(r"[\[\]{}]")
_PLAIN = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")
)
# Where there is no white space, and with white space nothing is canonical anyway. Some texts too.
_MAYBE_FRACTION = re.compile(rb"(?:^|[:,\[])-?[0-9]+[.eE]")
_TWO_UNITS = re.compile("[\U00010000-\U0010ffff]")
_TYPE_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}


def _refuse_constant(token: str) -> NoReturn:
    raise InvalidInput(f"{token} is not JSON")


def _exact(token: str) -> int:
    value = int(token)
    if abs(value) > INTEGER_MAX:
        raise InvalidInput(f"{token[:80]} is beyond the integers every parser reads exactly")
    return value


def _finite(token: str) -> float:
    value = float(token)
    if math.isinf(value):
        raise InvalidInput(f"{token[:80]} is out of range")
    return value


def _strict_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len({key.casefold() for key in result}) != len(pairs):
        keys = sorted(key for key, _ in pairs)
        twins = [a for a, b in itertools.pairwise(keys) if a.casefold() == b.casefold()]
        name = twins[0] if twins else keys[0]
        raise InvalidInput("key appears twice, or in two spellings", field=name[:80])
    return result


def _check_depth(text: str, depth_max: int) -> None:
    """Refuse deep nesting before the recursive parser meets it. A string that does not end hides
    the brackets after it; it is no JSON either."""
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > depth_max:
            raise LimitExceeded(f"nested deeper than {depth_max} levels")


def parse(data: bytes, *, bytes_max: int = limits.EVIDENCE_BYTES, what: str = "document") -> Any:
    """Parse ``data`` as one JSON value in UTF-8.

    Raises LimitExceeded over ``bytes_max`` or limits.JSON_DEPTH, InvalidInput for anything that
    another parser might read differently. ``what`` names the document in the error.
    """
    if len(data) > bytes_max:
        raise LimitExceeded(f"{what} has {len(data)} bytes; the limit is {bytes_max}")
    try:
        text = data.decode("utf-8", "strict")
        # str.count is fast; only a text that could be too deep is walked character by character.
        if text.count("[") + text.count("{") > limits.JSON_DEPTH:
            _check_depth(text, limits.JSON_DEPTH)
        value = json.loads(
            text,
            object_pairs_hook=_strict_object,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_exact,
        )
        # A lone surrogate parses, but has no UTF-8 form and so no canonical one.
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except InvalidInput as error:
        raise type(error)(f"{what}: {error.message}", field=error.field) from None
    except (UnicodeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{what} is not valid JSON: {error}") from None
    return value


def parse_object(
    data: bytes, *, bytes_max: int = limits.EVIDENCE_BYTES, what: str = "document"
) -> dict[str, Any]:
    """Like :func:`parse`, and the value must be an object."""
    value = parse(data, bytes_max=bytes_max, what=what)
    if not isinstance(value, dict):
        kind = _TYPE_NAMES.get(type(value), "number")
        raise InvalidInput(f"{what} must be a JSON object, not {kind}")
    return value


def canonical(value: Any) -> bytes:
    """The RFC 8785 form of ``value``. Raises InvalidInput for what has none (NaN, big integers)."""
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError) as error:
        raise InvalidInput(f"has no canonical form: {error}") from None


def is_canonical(value: Any, data: bytes) -> bool:
    """Whether ``data``, of which :func:`parse` made ``value``, is the canonical form of it.

    Mostly told by the standard library's encoder, which takes a tenth of the time. It differs from
    RFC 8785 in how numbers with a fraction are written, and in the order of keys that hold
    characters of two UTF-16 units.
    """
    if _MAYBE_FRACTION.search(data):
        return canonical(value) == data
    plain = _PLAIN.encode(value)
    if not plain.isascii() and _TWO_UNITS.search(plain):
        return canonical(value) == data
    return plain.encode("utf-8") == data


def digest_of(value: Any) -> str:
    """``sha256:<hex>`` of the canonical form of ``value``."""
    return f"sha256:{hashlib.sha256(canonical(value)).hexdigest()}"
