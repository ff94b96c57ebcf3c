"""A text and what it says once decoded: base64, hexadecimal, percent signs, escapes, entities,
rot13, digits for letters, reading backwards; what comes out is looked at once more.

Bounded: a text has VIEWS_MAX views at most, and together they are no longer than a multiple of it.
"""

import base64
import binascii
import codecs
import html
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

from quorate.text.normal import normal

VIEWS_MAX: Final = 32
SKIPPED_FROM: Final = 20
"""Characters of a piece that is worth more than one try: a shorter one is mostly a word."""
GROWTH_MAX: Final = 4
"""All views together, as a multiple of the text; and never less than CHARS_MIN characters."""
CHARS_MIN: Final = 4_096
LINES_MAX: Final = 8
CHARS_LEAST: Final = 4
"""Fewer decoded characters are a coincidence."""
ROUNDS: Final = 2
"""Encodings within one another."""

_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{10,}(?:[ \t]*\r?\n[A-Za-z0-9+/_-]+)*={0,2}", re.ASCII)
_BASE32: Final = re.compile(r"[A-Z2-7]{16,}={0,6}", re.ASCII)
_HEX: Final = re.compile(r"(?<![0-9A-Za-z])(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[ :,]{0,2}){8,}", re.ASCII)
_HEX_NOISE: Final = re.compile(r"0x|\\x|[ :,]", re.ASCII)
_ESCAPE: Final = re.compile(r"\\u\{?([0-9A-Fa-f]{4,6})\}?|\\x([0-9A-Fa-f]{2})", re.ASCII)
_LEET: Final = re.compile(r"[a-z][013457@$][a-z]", re.ASCII)
_LETTERS: Final = str.maketrans("013457@$", "oieastas")
"""Digits and signs that stand for letters where letters are on both sides."""
_PERCENT: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+", re.ASCII)
_READABLE: Final = 0.85
"""Share of printable characters above which decoded bytes are a text."""


@lru_cache(maxsize=32)
def views(text: str) -> tuple[str, ...]:
    """The normal form of ``text`` first, then of everything it decodes to; each once.

    Remembers a few: several judges read the same text at the same time.
    """
    budget = max(CHARS_MIN, GROWTH_MAX * len(text))
    found: dict[str, None] = {normal(text): None}
    layer = [text]
    for _ in range(ROUNDS):
        below: list[str] = []
        for source in layer:
            for decoded in _decoded(source):
                shown = normal(decoded)
                if len(found) >= VIEWS_MAX or len(shown) > budget:
                    return tuple(found)
                if shown and shown not in found:
                    budget -= len(shown)
                    found[shown] = None
                    below.append(decoded)
        layer = below
    whole = normal(text)
    for turned in (codecs.encode(whole, "rot13"), whole[::-1]):
        found[turned] = None
    if _LEET.search(whole):
        found[whole.translate(_LETTERS)] = None
    return tuple(found)


def _decoded(text: str) -> Iterator[str]:
    if "%" in text:
        yield from _changed(text, _PERCENT.sub(_unquoted, text))
    if "&" in text:
        yield from _changed(text, html.unescape(text))
    if "\\" in text:
        yield from _changed(text, _ESCAPE.sub(_unescaped, text))
    yield from _pieces(text, _BASE64, _from_base64)
    yield from _pieces(text, _BASE32, _from_base32)
    yield from _pieces(text, _HEX, _from_hex)


def _changed(before: str, after: str) -> Iterator[str]:
    if after != before:
        yield after


def _unquoted(match: re.Match[str]) -> str:
    return bytes.fromhex(match.group().replace("%", "")).decode("utf-8", "replace")


def _unescaped(match: re.Match[str]) -> str:
    code = int(match.group(1) or match.group(2), 16)
    return chr(code) if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else ""


def _pieces(text: str, pattern: re.Pattern[str], decode: Callable[[str], bytes]) -> Iterator[str]:
    """All pieces that decode to text, apart and put together: one may be cut in several. However
    many there are, they are two views: no piece is crowded out by others."""
    found: list[str] = []
    for match in pattern.finditer(text):
        found += filter(None, (_tried(part, decode) for part in _parts(match.group())))
    if found:
        yield "\n".join(found)
    if len(found) > 1:
        yield "".join(found)


def _parts(piece: str) -> list[str]:
    """A piece over several lines, and its lines: the next word is no part of it."""
    lines = piece.splitlines()
    if len(lines) == 1:
        return lines
    return [piece, "\n".join(lines[:-1]), *lines][: 2 + LINES_MAX]


def _tried(piece: str, decode: Callable[[str], bytes]) -> str:
    """What a piece decodes to; up to three strange characters before it do not hide it."""
    for skipped in range(4 if len(piece) >= SKIPPED_FROM else 1):
        try:
            decoded = _text(decode(piece[skipped:]))
        except (ValueError, binascii.Error):
            continue
        if decoded:
            return decoded
    return ""


def _from_base64(piece: str) -> bytes:
    joined = "".join(piece.split()).rstrip("=").translate(str.maketrans("-_", "+/"))
    return base64.b64decode(joined[: len(joined) - (len(joined) % 4 == 1)] + "==")


def _from_base32(piece: str) -> bytes:
    joined = piece.rstrip("=")
    return base64.b32decode(joined + "=" * (-len(joined) % 8))


def _from_hex(piece: str) -> bytes:
    return bytes.fromhex(_HEX_NOISE.sub("", piece))


def _text(data: bytes) -> str:
    """``data`` as a text if most of it is one, else nothing."""
    # Almost any bytes are UTF-16 of some script; what hides in it is Latin.
    wide = len(data) >= 8 and data[1::2].count(0) >= len(data) // 4
    text = data.decode("utf-16-le" if wide else "utf-8", "replace")
    readable = sum(c != "\ufffd" and (c.isprintable() or c.isspace()) for c in text)
    return text if len(text) >= CHARS_LEAST and readable >= _READABLE * len(text) else ""
