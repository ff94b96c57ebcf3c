"""What a container would load, and from where: its arguments and variables against a table.

Pure. It knows the server by the policy's word, never by the image's name, and what it does not know
it refuses.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from quorate.admission.servers import expansion
from quorate.admission.servers.reading import Read, read
from quorate.admission.servers.table import Arity, Effect, Option, Table

SHOWN_CHARS = 80
"""Of an argument, in a message."""
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"127(?:\.{_OCTET}){{3}}"
_LOOPBACK = re.compile(rf"(?:https?://)?(?:(?:{_IPV4}|\[::1\])(?::[0-9]{{1,5}})?/?|::1)", re.ASCII)
"""The whole of it: what two programs could take apart in two ways is no address. Nor is a name, not
even ``localhost``, or one that only looks like a number: the pod says what its names mean."""
_NAMED = re.compile(r"[^\s=,{}\[\]\"']+=(?P<place>[^=]+)")
"""``NAME=PATH``. Servers also take a JSON object there, whose parts are for its parser to find."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a server is told that it must not be: what, why, and what would be right."""

    what: str
    why: str
    fix: str
    is_bind: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """Everything a container tells its server."""

    args: tuple[str, ...]
    variables: tuple[tuple[str, str | None], ...]
    """In order; None is a value that does not stand in the pod."""
    places: tuple[str, ...]
    """Where the container mounts the measured model."""
    serves: bool = True
    """False for an init container, which need not say what is served."""


def findings(told: Told, table: Table) -> tuple[Finding, ...]:
    """Everything that is wrong, in order."""
    return tuple(_Judge(told, table).all())


class _Judge:
    """One container before one table."""

    def __init__(self, told: Told, table: Table) -> None:
        self._told = told
        self._table = table
        self._values = expansion.variables(told.variables)
        # Without the model mounted that is what is wrong, and is said elsewhere.
        self._said = not (table.says and told.serves and told.places)

    def all(self) -> Iterator[Finding]:
        """The variables, the arguments, and what is missing."""
        yield from self._variables()
        yield from self._arguments()
        if not self._said and not self._is_inside(self._table.default_place):
            names = ", ".join(sorted(self._table.says))
            yield Finding(
                "nothing that says what it loads",
                "without it a server serves what it finds or fetches",
                f"name a path in {self._where()} ({names})",
            )

    def _variables(self) -> Iterator[Finding]:
        for name in dict.fromkeys(name for name, _ in self._told.variables):
            option = self._table.variables.get(name)
            if option is not None:
                value = self._values.get(name)
                yield from self._judged(name, name, option, "" if value is None else value)
            elif name.startswith(self._table.families) or self._is_respelled(name):
                yield self._unknown(name)

    def _is_respelled(self, name: str) -> bool:
        """Whether some reader of settings takes it for one that is known: case is nothing to it."""
        upper = name.upper()
        return upper != name and (
            upper in self._table.variables or upper.startswith(self._table.families)
        )

    def _arguments(self) -> Iterator[Finding]:
        args: list[str] = []
        length = 0
        for arg in self._told.args:
            text, known = expansion.expanded(arg, self._values)
            length += len(text)
            if length > expansion.ALL_MAX:
                why = "with it the arguments are longer than a program may be started with"
                yield Finding(f"argument {shown(arg)}", why, "say less")
                return
            if not known and _decides(arg, text):
                yield Finding(
                    f"argument {shown(arg)}",
                    "it begins with a value that does not stand in the pod",
                    "write --option=$(NAME): the option in words, the reference after it",
                )
                continue
            # Marked, so that no value made of it is taken for a place or a word.
            args.append(text if known else f"{text}$()")
        for item in read(args, self._table):
            yield from self._argument(item) if item.name == "" else self._option(item)

    def _argument(self, item: Read) -> Iterator[Finding]:
        """One that belongs to no option: the subcommand, or what to serve."""
        if item.is_first and item.text in self._table.commands:
            return
        self._said = self._said or self._table.takes_place
        if self._table.takes_place and self._is_inside(item.text):
            return
        serves = ", ".join(sorted(self._table.commands)) or "nothing"
        fix = f"let it name a path in {self._where()}"
        if not self._table.takes_place:
            fix = f"without an option only this may be said: {serves}"
        yield Finding(f"argument {shown(item.text)}", "it is not in the measured model", fix)

    def _option(self, item: Read) -> Iterator[Finding]:
        if item.option is None:
            yield self._unknown(shown(item.name))
            return
        option = item.option
        if not item.values and option.arity in (Arity.ONE, Arity.MANY) and self._table.closed:
            yield Finding(
                item.name, "it has no value, so it may take the next argument for one",
                f"write {item.name}=VALUE",
            )  # fmt: skip
        elif option.arity is Arity.UNSURE and len(item.values) > 1:
            yield Finding(
                f"{item.name} {shown(item.values[1])}",
                "releases differ in whether it takes more than one value",
                f"write {item.name}=VALUE, and what to serve before it",
            )
        elif option.effect is Effect.FORBIDDEN or not item.values:
            yield from self._judged(item.name, item.name, option, "")
        for value in item.values if option.effect is not Effect.FORBIDDEN else ():
            yield from self._judged(item.name, f"{item.name} {value}", option, value)

    def _judged(self, name: str, what: str, option: Option, value: str) -> Iterator[Finding]:
        effect = option.effect
        if effect is Effect.FORBIDDEN:
            yield Finding(name, option.why, option.fix or "leave it out")
        elif effect is Effect.BIND:
            if not is_loopback(value):
                yield Finding(shown(what), "", "", is_bind=True)
        elif effect is Effect.WORDS:
            if value not in option.words:
                yield self._not_a_word(what, option)
        elif effect is Effect.PLACE or (
            effect is Effect.PLACE_OR_WORDS and value not in option.words
        ):
            self._said = self._said or name in self._table.says
            if not self._are_inside(value, option):
                yield Finding(
                    shown(what),
                    "it is not in the measured model",
                    f"let it name a path in {self._where()}",
                )

    def _not_a_word(self, what: str, option: Option) -> Finding:
        allowed = ", ".join(sorted(option.words)) or "nothing"
        return Finding(shown(what), option.why or "it is not known", f"use one of: {allowed}")

    def _unknown(self, name: str) -> Finding:
        kind = self._table.title if self._table.kind else "any server"
        return Finding(
            name,
            f"it is not known of {kind}, in full and in this spelling",
            "leave it out, or write it as docs/reference/servers.md lists it; a policy may say "
            "which server the image is (model.servers[].kind)",
        )

    def _are_inside(self, value: str, option: Option) -> bool:
        """Whether every place of a list is in the model."""
        parts = value.split(",")
        if option.named:
            named = [_NAMED.fullmatch(part) for part in parts]
            parts = [m["place"] if m else p for m, p in zip(named, parts, strict=True)]
        return all(self._is_inside(part) for part in parts)

    def _is_inside(self, value: str) -> bool:
        if "$(" in value or not value.startswith("/"):
            return False
        normal = posixpath.normpath(value)
        places = self._told.places
        return any(normal == place or normal.startswith(f"{place}/") for place in places)

    def _where(self) -> str:
        places = self._told.places
        return places[0] if places else "the mounted model, which this container does not mount"


def _decides(written: str, text: str) -> bool:
    """Whether what is not in the pod decides which option this is."""
    if written.startswith("-"):
        return "$(" in text.partition("=")[0]
    return text.startswith("$(")


def is_loopback(value: str) -> bool:
    """Whether a server told to bind ``HOST``, ``HOST:PORT`` or a list of them stays on loopback."""
    return all(_LOOPBACK.fullmatch(part.strip(" ")) for part in value.split(","))


def shown(text: str) -> str:
    """An argument as messages show it: short, and quoted if it holds what a terminal obeys."""
    cut = text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"
    return cut if cut.isprintable() else repr(cut)
