"""Texts made by script: attacks by family, everyday texts, and ones that look like attacks.

The phrases of each language are in ``phrases/``. No text of anybody else's is in them.
"""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Final


class Split(StrEnum):
    """What texts are for. A threshold that is chosen on training texts knows their templates."""

    TRAINING = "training"
    CALIBRATION = "calibration"
    REPORT = "report"


LANGUAGES: Final = ("en", "de", "fr", "es")
SHARES: Final = (6, 2, 1, 1)
HELD_OUT_FAMILIES: Final = ("authority", "hypothetical")
"""Attacks that training never sees, so that a report can say what that costs."""
TEMPLATES_OF: Final = {
    Split.TRAINING: (0, 1, 4, 5, 6),
    Split.CALIBRATION: (2, 7),
    Split.REPORT: (3, 8, 9),
}
"""By a template's number modulo ten: no two splits share one."""
_PHRASES: Final = Path(__file__).parent / "phrases"
_SLOT: Final = re.compile(r"\{([a-z]+)\}")
_INSIDE_DOCUMENT: Final = ("injected", "code", "exfiltration")
_DEPTH: Final = 6


@dataclass(frozen=True, slots=True)
class Text:
    """A text with what it is. ``kind`` is prose, document, code or lookalike."""

    text: str
    unsafe: bool
    kind: str
    language: str
    family: str


@lru_cache
def phrases(language: str) -> dict[str, Any]:
    """The phrases of a language."""
    found: dict[str, Any] = json.loads((_PHRASES / f"{language}.json").read_text("utf-8"))
    return found


def texts(seed: int, count: int, split: Split) -> Iterator[Text]:
    """``count`` texts, half of them attacks, of the split's own templates."""
    draw = random.Random(f"texts/{seed}/{split}")  # noqa: S311 - repeatable texts are the point
    for number in range(count):
        language = draw.choices(LANGUAGES, SHARES)[0]
        make = _attack if number % 2 else _everyday
        yield make(draw, language, split)


def everyday(draw: random.Random, language: str, kind: str, split: Split) -> str:
    """One harmless text of a kind."""
    known = phrases(language)
    return _filled(draw, known, draw.choice(_part(known["benign"][kind], split)))


def attack(draw: random.Random, language: str, family: str, split: Split) -> str:
    """One attack of a family."""
    known = phrases(language)
    templates = known["attacks"][family]
    own = templates if family in HELD_OUT_FAMILIES else _part(templates, split)
    return _filled(draw, known, draw.choice(own))


def families(language: str, split: Split) -> list[str]:
    """The attack families of a language: a report has all, training and calibration have not."""
    known = sorted(phrases(language)["attacks"])
    return [name for name in known if split is Split.REPORT or name not in HELD_OUT_FAMILIES]


def _attack(draw: random.Random, language: str, split: Split) -> Text:
    family = draw.choice(families(language, split))
    said = attack(draw, language, family, split)
    kind = "prose"
    if family in _INSIDE_DOCUMENT and draw.random() < 0.7:
        before, after = (everyday(draw, language, "document", split) for _ in range(2))
        said, kind = f"{before} {said} {after}", "document"
    elif draw.random() < 0.3:
        said = f"{everyday(draw, language, 'prose', split)} {said}"
    if "```" in said or "import " in said:
        kind = "code"
    return Text(said, True, kind, language, family)


def _everyday(draw: random.Random, language: str, split: Split) -> Text:
    kinds = sorted(phrases(language)["benign"])
    kind = draw.choice(kinds)
    said = everyday(draw, language, kind, split)
    while kind in ("prose", "document") and draw.random() < 0.45:
        said = f"{said} {everyday(draw, language, kind, split)}"
    return Text(said, False, kind, language, kind)


def _part(templates: list[str], split: Split) -> list[str]:
    chosen = [
        template for index, template in enumerate(templates) if index % 10 in TEMPLATES_OF[split]
    ]
    # Of very few there may be none; then the last one is everybody's.
    return chosen or templates[-1:]


def _filled(draw: random.Random, known: dict[str, Any], template: str) -> str:
    """``template`` with every slot filled; now and then without its capital or full stop."""
    text = template
    for _ in range(_DEPTH):
        filled = _SLOT.sub(lambda slot: _choice(draw, known, slot), text)
        if filled == text:
            break
        text = filled
    if draw.random() < 0.7:
        text = text[:1].upper() + text[1:]
    return text.rstrip(".") if draw.random() < 0.2 else text


def _choice(draw: random.Random, known: dict[str, Any], slot: re.Match[str]) -> str:
    values = known["slots"].get(slot.group(1))
    # What is no slot belongs to the text: code has braces too.
    return draw.choice(values) if values else slot.group()
