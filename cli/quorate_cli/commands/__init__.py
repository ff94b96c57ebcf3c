"""The subcommands, a file each. To add one: write its file, named by its words,
and list it here.

Only what was asked for is imported: a program that people type must not take a second to begin.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Final

from quorate_cli.command import Command

LISTED: Final = (
    "keygen",
    "sign",
    "gate",
    "gate run",
    "gate suites",
    "gate job",
    "gate publish",
    "approve",
    "exception new",
    "exception approve",
    "exception show",
    "verify",
    "model manifest",
    "push",
    "explain",
    "preview",
    "report",
    "inventory",
    "status",
    "doctor",
    "audit verify",
    "audit decisions",
    "hold list",
    "hold approve",
    "hold reject",
    "freeze",
    "freeze list",
    "unfreeze",
    "committee status",
    "committee verify",
    "committee explain-decision",
    "committee rotate",
    "committee replace",
    "committee resize",
    "committee administrators",
    "committee policies",
    "committee deck",
    "committee canaries",
    "committee quarantine",
    "committee acknowledge",
    "committee readmit",
    "committee recover",
    "committee show",
    "committee sign",
    "committee apply",
    "committee propose",
)
"""The commands, as they are typed and in the order in which they are listed."""
FILES: Final[Mapping[tuple[str, ...], str]] = {
    tuple(words.split()): words.replace(" ", "_").replace("-", "_") for words in LISTED
}
"""Modules here, by the words that are typed."""
_WORDS_MAX: Final = max(map(len, FILES))


def chosen(words: Sequence[str]) -> tuple[Command, ...]:
    """The one command that ``words`` begin with; all of them if there is none, for help."""
    for count in range(_WORDS_MAX, 0, -1):
        file = FILES.get(tuple(words[:count]))
        if file is not None:
            return (_command(file),)
    return every()


@cache
def every() -> tuple[Command, ...]:
    """All commands, as they are listed."""
    return tuple(map(_command, FILES.values()))


def _command(file: str) -> Command:
    command = import_module(f"{__name__}.{file}").COMMAND
    assert isinstance(command, Command)  # noqa: S101 - a file's fault, not a person's
    return command
