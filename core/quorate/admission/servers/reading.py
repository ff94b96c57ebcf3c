"""Arguments taken apart, so that no parser finds more in them than was judged.

Parsers differ: whether ``--a b`` and ``--a=b`` mean the same, ``_`` and ``-``, whether an option
may be shortened, glued to its value or taken for one. What two of them could read differently is
read as the more dangerous; for the rest there is the table: what is not in it is not known.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from quorate.admission.servers.table import Arity, Effect, Option, Table

_NUMBER = re.compile(r"-\d+(\.\d+)?\Z")
_LEVEL = re.compile(r"(-O)(\d)\Z")
_ABBREVIATION_MIN = 3
_WHOLE = {"reasoning-parser", "token"}
"""Names that begin a longer one in an open table, and are not short for it."""


@dataclass(slots=True)
class Read:
    """One option with its values, or one argument that belongs to none (``option`` is None)."""

    text: str
    option: Option | None
    name: str = ""
    values: list[str] = field(default_factory=list)
    is_first: bool = False


def read(args: Sequence[str], table: Table) -> list[Read]:
    """The arguments as the server may understand them."""
    found: list[Read] = []
    open_option: Read | None = None
    ended = False
    for index, arg in enumerate(args):
        if arg == "--" and not ended:
            ended, open_option = True, None
        elif _is_value(arg, open_option, ended=ended):
            if open_option is not None and _takes_more(open_option):
                open_option.values.append(arg)
            else:
                open_option = None
                found.append(Read(arg, None, values=[arg], is_first=index == 0))
        else:
            open_option = _option(arg, table)
            found.append(open_option)
    return found


def _is_value(arg: str, open_option: Read | None, *, ended: bool) -> bool:
    if ended or not arg.startswith("-") or arg == "-":
        return True
    return bool(_NUMBER.match(arg)) and open_option is not None and _takes_more(open_option)


def _takes_more(option: Read) -> bool:
    if "=" in option.text or option.option is None:
        return False
    arity = option.option.arity
    return arity in (Arity.MANY, Arity.UNSURE) or (arity is not Arity.FLAG and not option.values)


def _option(arg: str, table: Table) -> Read:
    text, equals, value = arg.partition("=")
    if level := _LEVEL.match(arg):
        text, equals, value = level[1], "=", level[2]
    name = spelled(text)
    option = table.options.get(name)
    if option is None and not table.closed:
        option, value = _in_open_table(name, arg, value, table)
        equals = "=" if value else equals
    read_as = Read(arg, option, name)
    if equals:
        read_as.values.append(value)
        read_as.text = f"{name}={value}"
    return read_as


def spelled(text: str) -> str:
    """An option's name as tables write it: ``_`` is ``-``, and of dotted parts the first counts."""
    if not text.startswith("--"):
        return text.split(".")[0]
    return text.split(".")[0].rstrip("+").replace("_", "-")


def _in_open_table(name: str, arg: str, value: str, table: Table) -> tuple[Option, str]:
    """What an option that an open table does not list may be short for."""
    body = name.lstrip("-")
    if len(body) >= _ABBREVIATION_MIN and body not in _WHOLE:
        longer = sorted(known for known in table.options if known.lstrip("-").startswith(body))
        if longer:
            return table.options[longer[0]], value
    glued = table.options.get(arg[:2]) if not arg.startswith("--") else None
    if glued is not None and glued.effect is Effect.PLACE and "/" in arg:
        return glued, arg[2:]
    return Option(Effect.PLAIN, Arity.MANY), value
