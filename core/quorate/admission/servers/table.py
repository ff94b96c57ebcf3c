"""What a table about a model server is made of: its options and variables, and what each may do.

A table is data, taken from the server's public documentation. What it does not list is not known,
and what is not known is refused.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    """What a value decides."""

    PLAIN = "plain"
    """Nothing about what is loaded or run."""
    PLACE = "place"
    """A place to load from: it must lie in the measured model."""
    BIND = "bind"
    """The address to listen on: it must be loopback."""
    WORDS = "words"
    """One of a few words; others load or run something else."""
    PLACE_OR_WORDS = "place or words"
    FORBIDDEN = "forbidden"
    """It fetches at run time, or runs code by name or path."""


class Arity(StrEnum):
    """How many of the following arguments are the option's values."""

    FLAG = "none"
    OPTIONAL = "at most one"
    UNSURE = "one; in some releases more"
    """What follows a first value may be one more of them, or what to serve: it must not follow."""
    ONE = "one"
    MANY = "any number"


FEWEST: tuple[Arity, ...] = (Arity.FLAG, Arity.OPTIONAL, Arity.UNSURE, Arity.ONE, Arity.MANY)
STRICTEST: tuple[Effect, ...] = (
    Effect.PLAIN,
    Effect.BIND,
    Effect.PLACE_OR_WORDS,
    Effect.WORDS,
    Effect.PLACE,
    Effect.FORBIDDEN,
)
"""From the most lenient; of two readings of one name the later one counts."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option or variable. ``why`` and ``fix`` are for the person whose pod is refused."""

    effect: Effect
    arity: Arity = Arity.ONE
    words: frozenset[str] = frozenset()
    named: bool = False
    """Whether a place may be written NAME=PATH."""
    why: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One server. Names of options are written as they are typed, with their dashes."""

    kind: str
    title: str
    sources: tuple[str, ...]
    """Where its public documentation says so."""
    images: tuple[str, ...]
    """Parts of the names of its usual images; a hint for messages, never a reason to allow."""
    options: Mapping[str, Option]
    variables: Mapping[str, Option]
    families: tuple[str, ...] = ()
    """Prefixes of variables the server reads: one that is not listed is not known."""
    commands: frozenset[str] = frozenset()
    """Words that may stand first: the program or its subcommand that serves."""
    takes_place: bool = False
    """Whether what to serve may be said without an option."""
    default_place: str = ""
    """Where it looks if nothing is said; empty if that would be fetched or is not known."""
    says: frozenset[str] = frozenset()
    """Options and variables of which one must say what is served; empty if nothing needs to."""
    closed: bool = True
    """Whether an option that is not listed is refused."""
    notes: str = ""


def plain(names: str, arity: Arity = Arity.ONE) -> dict[str, Option]:
    """Options that are nobody's business."""
    return {name: Option(Effect.PLAIN, arity) for name in names.split()}


def flags(names: str) -> dict[str, Option]:
    """Options without a value that are nobody's business."""
    return plain(names, Arity.FLAG)


def places(names: str, arity: Arity = Arity.ONE, *, named: bool = False) -> dict[str, Option]:
    """Options whose value must lie in the measured model."""
    return {name: Option(Effect.PLACE, arity, named=named) for name in names.split()}


def binds(names: str) -> dict[str, Option]:
    """Options that name an address to listen on."""
    return {name: Option(Effect.BIND) for name in names.split()}


def words(
    names: str, allowed: str, *, arity: Arity = Arity.ONE, or_place: bool = False, why: str = ""
) -> dict[str, Option]:
    """Options that take one of a few words (or, if so said, a place in the model)."""
    effect = Effect.PLACE_OR_WORDS if or_place else Effect.WORDS
    option = Option(effect, arity, frozenset(allowed.split()), why=why)
    return {name: option for name in names.split()}


def forbidden(names: str, why: str, fix: str, arity: Arity = Arity.ONE) -> dict[str, Option]:
    """Options that are refused whatever their value."""
    return {name: Option(Effect.FORBIDDEN, arity, why=why, fix=fix) for name in names.split()}


def stricter(first: Option, second: Option) -> Option:
    """What is left if a name may mean either: the stricter effect, the fewer values."""
    low, high = sorted((first, second), key=lambda option: STRICTEST.index(option.effect))
    effect, allowed = high.effect, high.words
    if {first.effect, second.effect} <= {Effect.WORDS, Effect.PLACE_OR_WORDS}:
        allowed = first.words & second.words
    elif {first.effect, second.effect} == {Effect.PLACE, Effect.WORDS}:
        # No value is both.
        effect, allowed = Effect.FORBIDDEN, frozenset()
    elif low.effect is Effect.BIND and high.effect is not Effect.BIND:
        effect = Effect.FORBIDDEN
    arity = min(first.arity, second.arity, key=FEWEST.index)
    why = high.why or "servers differ in what it means"
    named = first.named and second.named
    return Option(effect, arity, allowed, named, why, high.fix or low.fix)


def merged(parts: Iterable[Mapping[str, Option]]) -> dict[str, Option]:
    """One mapping of several; a name in more than one gets the stricter meaning."""
    found: dict[str, Option] = {}
    for part in parts:
        for name, option in part.items():
            found[name] = stricter(found[name], option) if name in found else option
    return found
