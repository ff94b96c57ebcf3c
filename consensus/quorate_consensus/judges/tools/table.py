"""The signed table: whose results are trusted or secret, and what each class takes."""

import fnmatch
from typing import Annotated, Any, Final, Literal

import msgspec

from quorate.statements import convert

TOOLS_MAX: Final = 1_024
_Glob = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.:/*-]+\Z", max_length=253)]
_Globs = Annotated[tuple[_Glob, ...], msgspec.Meta(max_length=TOOLS_MAX)]


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an action class does with what flows into it.

    ``untrusted``: ``any`` untrusted content denies, only a ``destination`` does, it is a ``note``,
    or it is all the same (``none``). ``secrets``: likewise. ``hard``: the denials are.
    """

    untrusted: Literal["any", "destination", "note", "none"]
    secrets: Literal["deny", "note", "none"]
    hard: bool


STRICTEST: Final = Row("any", "deny", True)


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Tools by name, where ``*`` stands for anything, and a row for each action class."""

    version: Annotated[int, msgspec.Meta(ge=1, le=1)]
    trusted_tools: _Globs
    """Their results hold nothing that an outsider could have put there."""
    secret_tools: _Globs
    """Their results are secrets."""
    secrets_welcome: _Globs
    """Secrets may flow into these."""
    classes: Annotated[dict[str, Row], msgspec.Meta(max_length=64)]

    def row(self, action_class: str) -> Row:
        """The row of a class; the strictest if it has none."""
        return self.classes.get(action_class, STRICTEST)

    def is_trusted(self, tool: str) -> bool:
        """Whether what ``tool`` answers can be believed."""
        return _listed(tool, self.trusted_tools) or _listed(tool, self.secret_tools)

    def is_secret(self, tool: str) -> bool:
        """Whether what ``tool`` answers is secret."""
        return _listed(tool, self.secret_tools)

    def takes_secrets(self, tool: str) -> bool:
        """Whether secrets may flow into ``tool``."""
        return _listed(tool, self.secrets_welcome)


def read_table(document: dict[str, Any]) -> Table:
    """Read a table. Raises InvalidInput."""
    return convert(document, Table, "tools")


def _listed(tool: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(tool, glob) for glob in globs)
