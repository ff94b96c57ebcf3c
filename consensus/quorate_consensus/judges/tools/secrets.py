"""Which secrets a conversation holds."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import re2

from quorate.consensus.excerpt import Origin, Piece
from quorate.content.secrets import SECRETS
from quorate.text import squash
from quorate_consensus.judges.tools.table import Table

SECRETS_MAX: Final = 64
"""Secrets followed. Of a conversation with more, any outgoing call is one too many."""
_TOKEN: Final = re.compile(r"[^\s\"',;:=<>{}()\[\]]{12,512}")


class Credentials:
    """Finds credentials by their form, with the patterns that the sidecar's check has."""

    def __init__(self) -> None:
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.never_capture = True
        options.log_errors = False
        self._set = re2.Set.SearchSet(options)
        self._compiled = []
        for pattern in SECRETS.patterns:
            self._set.Add(pattern.expression)
            self._compiled.append((re2.compile(pattern.expression, options), pattern))
        self._canary = self._set.Add(b"")
        self._set.Compile()

    def find(self, text: str) -> Iterator[str]:
        """The credentials in ``text``, each with the characters that still belong to it."""
        data = text.encode()
        found: list[int] = self._set.Match(data) or []
        gave_up = self._canary not in found
        for index, (regex, pattern) in enumerate(self._compiled):
            if not gave_up and index not in found:
                continue
            at = 0
            while match := regex.search(data, at):
                start, end = match.span()
                at = start + 1
                if not pattern.accept(data[start:end]):
                    continue
                rest = data[end : end + 4_096]
                end += len(rest) - len(rest.lstrip(pattern.tail)) if pattern.tail else 0
                at = end
                yield data[start:end].decode("utf-8", "ignore")


def secrets_of(pieces: Iterable[Piece], table: Table, credentials: Credentials) -> tuple[str, ...]:
    """The squashed secrets that were read: credentials in instructions and results, and all that
    secret tools answered. What the user says is the user's to send."""
    found: dict[str, None] = {}
    for piece in pieces:
        if piece.origin not in (Origin.INSTRUCTIONS, Origin.TOOL_RESULT):
            continue
        values = list(credentials.find(piece.text))
        if piece.origin is Origin.TOOL_RESULT and table.is_secret(piece.tool):
            values += _TOKEN.findall(piece.text) or [piece.text]
        for value in values:
            plain = squash(value)
            if len(plain) >= 8:
                found[plain] = None
            if len(found) > SECRETS_MAX:
                return tuple(found)
    return tuple(found)
