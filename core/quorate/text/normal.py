"""One spelling for texts that look alike.

Compatibility forms, marks, invisible characters, lookalike letters, case and white space are no
differences. Sources: Unicode annexes 15 (normalisation forms) and 39 (confusables; a part of its
table: the letters of other scripts that pass for Latin ones).
"""

import unicodedata
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

_TAGS: Final = range(0xE0020, 0xE007F)
"""Tag characters: ASCII that no font shows."""
_INVISIBLE: Final = frozenset(("Cf", "Mn", "Me", "Cc", "Cs", "Co", "Cn"))
_KEPT: Final = frozenset("\t\n\r\v\f\x1c\x1d\x1e\x1f\x85")
_FILLERS: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")
"""Letters and symbols that are blank."""


def normal(text: str) -> str:
    """``text`` with one spelling for all that looks alike; white space is single blanks."""
    if not text.isascii():
        shown = "".join(map(_tag, text))
        # Folding case can bring marks forth, and decomposing capitals.
        folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", shown).casefold())
        text = "".join(filter(_is_visible, folded)).translate(LOOKALIKES)
        return " ".join(text.split())
    if not text.isprintable():
        text = "".join(c for c in text if c.isprintable() or c in _KEPT)
    return " ".join(text.lower().split())


def squash(text: str) -> str:
    """The letters and digits of ``text`` in their one spelling, and nothing between them."""
    return "".join(filter(str.isalnum, normal(text)))


def _tag(character: str) -> str:
    return chr(ord(character) - 0xE0000) if ord(character) in _TAGS else character


def _is_visible(character: str) -> bool:
    if character.isascii():
        return character.isprintable() or character in _KEPT
    if character in _KEPT:
        return True
    return character not in _FILLERS and unicodedata.category(character) not in _INVISIBLE
