"""The project's own texts: small JSON documents beside the code, read strictly, with a digest."""

from functools import cache
from importlib.resources import files
from typing import Any, Final

from quorate.canonical import digest_of, parse_object
from quorate.errors import InvalidInput
from quorate.limits import MIB

DATASET_BYTES: Final = 1 * MIB


@cache
def load(name: str) -> dict[str, Any]:
    """The texts of one suite. Raises InvalidInput if they are malformed."""
    data = (files("quorate_evaluation") / "datasets" / f"{name}.json").read_bytes()
    return parse_object(data, bytes_max=DATASET_BYTES, what=f"dataset {name}")


def dataset_digest(name: str) -> str:
    """The digest of the texts' canonical form: layout does not change it."""
    return digest_of(load(name))


def filled(template: str, **words: str) -> str:
    """The template with ``{word}`` replaced. Raises InvalidInput if a place is left open."""
    text = template
    for key, value in words.items():
        text = text.replace(f"{{{key}}}", value)
    if "{" in text or "}" in text:
        raise InvalidInput(f"leaves a place open: {template[:80]}", field="dataset")
    return text
