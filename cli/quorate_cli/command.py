"""What a subcommand is: its words, its arguments and a function from arguments to a result."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from quorate_cli import exit_codes
from quorate_cli.progress import Progress


@dataclass(frozen=True, slots=True)
class Result:
    """What a command has to say: lines for people, a document for programs, an exit code."""

    lines: list[str]
    document: dict[str, Any] = field(default_factory=dict)
    """What ``--output json`` and ``yaml`` print."""
    exit_code: int = exit_codes.OK
    texts: Mapping[str, str] = field(default_factory=dict)
    """The result in further forms, by the name of the form."""


@dataclass(frozen=True, slots=True)
class Command:
    """One subcommand. ``words`` are typed after the program's name: ``("model", "manifest")``.

    ``run`` raises QuorateError for what it refuses and OSError for files it cannot read or write.
    ``examples`` are command lines without the program's name; ``notes`` follow them in the help.
    """

    words: tuple[str, ...]
    summary: str
    description: str
    examples: tuple[str, ...]
    arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, Progress], Result]
    notes: str = ""
    forms: tuple[str, ...] = ("text", "json")
    """What ``--output`` may ask for; the first is the default."""
