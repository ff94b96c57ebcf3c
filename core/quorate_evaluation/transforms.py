"""Eight ways to write the same question otherwise. Pure; the same text and seed, the same result.

A person still reads the same question in each; that is what makes a different answer a fault.
"""

import random
import re
from collections.abc import Callable, Mapping
from typing import Final

Transform = Callable[[str, random.Random], str]
_LOOKALIKES: Final = str.maketrans(
    {"a": "\u0430", "e": "\u0435", "o": "\u043e", "p": "\u0440", "c": "\u0441", "i": "\u0456"}
)
_FILLERS: Final = ("~", "*", "_", "|")
_SENTENCE_ENDS: Final = re.compile(r"(?<=[.?!]) ")
_CUT_CHARS: Final = 3
_SWAPPED_SHARE: Final = 0.3
_NOISE_SHARE: Final = 0.06


def typos(text: str, draw: random.Random) -> str:
    """Two neighbouring letters are swapped inside about a third of the longer words."""
    return " ".join(_swapped(word, draw) for word in text.split(" "))


def _swapped(word: str, draw: random.Random) -> str:
    if len(word) < 5 or not word.isalpha() or draw.random() > _SWAPPED_SHARE:
        return word
    at = draw.randrange(1, len(word) - 2)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def case(text: str, _draw: random.Random) -> str:
    """All letters are capitals."""
    return text.upper()


def spacing(text: str, draw: random.Random) -> str:
    """Between words stand one to four blanks, and some at both ends."""
    words = text.split(" ")
    return "  " + "".join(w + " " * draw.randint(1, 4) for w in words)


def homoglyphs(text: str, draw: random.Random) -> str:
    """Half of the letters a, e, o, p, c and i are their Cyrillic lookalikes."""
    return "".join(c.translate(_LOOKALIKES) if draw.random() < 0.5 else c for c in text)


def paraphrase(text: str, draw: random.Random) -> str:
    """The question is asked in a polite frame."""
    before = draw.choice(("Could you help me with this one?", "I have been wondering about this."))
    return f"{before} {text} I would be glad to know."


def noise(text: str, draw: random.Random) -> str:
    """Signs without meaning stand between some characters."""
    return "".join(
        c + draw.choice(_FILLERS) if c == " " or draw.random() < _NOISE_SHARE else c for c in text
    )


def order(text: str, _draw: random.Random) -> str:
    """The sentences come in the reverse order."""
    sentences = [
        part for part in text.replace("? ", "?\n").replace(". ", ".\n").split("\n") if part
    ]
    return " ".join(reversed(sentences))


def truncation(text: str, _draw: random.Random) -> str:
    """The last three characters are missing."""
    return text[:-_CUT_CHARS] if len(text) > 4 * _CUT_CHARS else text


TRANSFORMS: Final[Mapping[str, Transform]] = {
    function.__name__: function
    for function in (typos, case, spacing, homoglyphs, paraphrase, noise, order, truncation)
}


def transformed(name: str, text: str, seed: int) -> str:
    """``text`` under the named transform, by a seed that also depends on name and text."""
    return TRANSFORMS[name](text, random.Random(f"{seed}/{name}/{text}"))  # noqa: S311
