"""One spelling for texts that look alike.

Compatibility forms, marks, invisible characters, lookalike letters, case and white space are no
differences. Sources: Unicode annexes 15 (normalisation forms) and 39 (confusables; a part of its
table: the letters of other scripts that pass for Latin ones).
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

_CYRILLIC: Final = dict(
    zip("абвгдеёзікмнорстухјԛѕһԁցөѵԝ", "a6brgeeeikmhopctyxjqshdgovw", strict=True)
)
_GREEK: Final = dict(zip("αβγδεηικνοπρστυχωϲϳ", "abydenikvonpotuxwcj", strict=True))
_OTHERS: Final = dict(
    zip("ıȷɑɡɩʋᴀʙᴄᴅᴇɢʜᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢℓ\u212e", "ijagivabcdeghjklmnoprstuvwyzle", strict=True)
)
_ARMENIAN: Final = dict(zip("\u0585\u057d\u0570\u0578", "ouhn", strict=True))
LOOKALIKES: Final = str.maketrans(_CYRILLIC | _GREEK | _OTHERS | _ARMENIAN)
"""Small letters to the Latin ones they pass for."""

_TAGS: Final = {0xE0000 + code: code for code in range(0x20, 0x7F)}
"""Tag characters: ASCII that no font shows."""
_INVISIBLE: Final = frozenset(("Cf", "Mn", "Me", "Cc", "Cs", "Co", "Cn"))
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")
"""Those of ASCII that are no white space."""
_OTHERS_THAN_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_FILLERS: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")
"""Letters and symbols that are blank."""
_REMEMBERED: Final = 8_192


def normal(text: str) -> str:
    """``text`` with one spelling for all that looks alike; white space is single blanks."""
    if not text.isascii():
        shown = text.translate(_TAGS)
        # Folding case can bring marks forth, and decomposing capitals.
        folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", shown).casefold())
        text = _OTHERS_THAN_ASCII.sub(_shown, folded).translate(LOOKALIKES)
    return " ".join(_CONTROLS.sub("", text).lower().split())


def squash(text: str) -> str:
    """The letters and digits of ``text`` in their one spelling, and nothing between them."""
    found = normal(text)
    if found.isascii():
        return found.encode("ascii").translate(None, _SIGNS).decode("ascii")
    return "".join(filter(str.isalnum, found))


_SIGNS: Final = bytes(code for code in range(128) if not chr(code).isalnum())


def _shown(match: re.Match[str]) -> str:
    return _visible(match.group())


@lru_cache(maxsize=_REMEMBERED)
def _visible(character: str) -> str:
    """The character, or nothing if nobody sees it."""
    if character == "\x85":
        return character
    hidden = character in _FILLERS or unicodedata.category(character) in _INVISIBLE
    return "" if hidden else character
