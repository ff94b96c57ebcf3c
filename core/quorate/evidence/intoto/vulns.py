"""Vulnerabilities (v0.2): what a scanner found.

The document gives no verdict: which findings are tolerable is the gate's condition, over the list
itself. An empty list says that the scanner found none.

Source: https://github.com/in-toto/attestation/blob/main/spec/predicates/vulns_02.md
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from quorate.errors import InvalidInput
from quorate.evidence.intoto.descriptor import Open, Text, Uri, check_uri
from quorate.evidence.intoto.facts import Facts, Outcome
from quorate.evidence.intoto.timestamps import parse_rfc3339
from quorate.statements import convert

_WHAT: Final = "vulns predicate"
_NAMED_MAX: Final = 5


class _Severity(Open, frozen=True):
    method: Text
    score: Text


class _Vulnerability(Open, frozen=True):
    id: Text
    severity: Annotated[tuple[_Severity, ...], msgspec.Meta(min_length=1, max_length=16)]


class _Database(Open, frozen=True):
    last_update: str
    uri: Uri | None = None
    version: Text | None = None


class _Scanner(Open, frozen=True):
    uri: Uri
    db: _Database
    result: Annotated[tuple[_Vulnerability, ...], msgspec.Meta(max_length=10_000)]
    version: Text | None = None


class _Metadata(Open, frozen=True):
    scan_started_on: str
    scan_finished_on: str


class _Predicate(Open, frozen=True):
    scanner: _Scanner
    metadata: _Metadata


def read(predicate: Mapping[str, Any]) -> Facts:
    """Read a predicate. Raises InvalidInput."""
    raw = convert(predicate, _Predicate, _WHAT)
    check_uri(raw.scanner.uri, "scanner.uri")
    found = [one.id for one in raw.scanner.result]
    started = parse_rfc3339(raw.metadata.scan_started_on, "metadata.scanStartedOn")
    finished = parse_rfc3339(raw.metadata.scan_finished_on, "metadata.scanFinishedOn")
    updated = parse_rfc3339(raw.scanner.db.last_update, "scanner.db.lastUpdate")
    if started > finished:
        raise InvalidInput("must not be after the scan finished", field="metadata.scanStartedOn")
    if updated > finished:
        raise InvalidInput("must not be after the scan finished", field="scanner.db.lastUpdate")
    return Facts(
        result=Outcome.PASSED,
        made_at=finished,
        failures=tuple(dict.fromkeys(found))[:_NAMED_MAX],
    )
