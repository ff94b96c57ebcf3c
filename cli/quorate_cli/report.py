"""The report of an evaluation: what ``gate`` turns into a signed verdict.

A report is JSON::

    {"suite": {"name": "…", "digest": {"sha256": "…"}}, "dataset": {…}, "harness": {…},
     "subject": {"files": [{"name": "config.json", "sha256": "…"}]},
     "startedAt": "2026-01-31T11:59:00Z", "finishedAt": "2026-01-31T12:00:00Z",
     "result": "PASSED", "passedTests": ["…"], "warnedTests": [], "failedTests": [],
     "metrics": {"perplexity": 2.1}, "details": {…}}

``subject``, ``startedAt``, the lists, ``metrics`` and ``details`` are optional; ``details`` are for
people and are not signed. With ``subject``, the harness
says which files it really ran; they must then be the model that the verdict is signed over.
"""

from typing import Any

import msgspec

from quorate import limits
from quorate.canonical import parse_object
from quorate.evidence.intoto import GateRun, Outcome
from quorate.evidence.intoto.timestamps import parse_utc
from quorate.manifest import Manifest, check_digest, manifest
from quorate.statements import convert


class _Digest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str


class _Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    digest: _Digest


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    sha256: str


class _Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    files: tuple[_File, ...]


class _Report(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"
):
    suite: _Named
    dataset: _Named
    harness: _Named
    subject: _Subject | None = None
    started_at: str | None = None
    finished_at: str
    result: Outcome
    passed_tests: tuple[str, ...] = ()
    warned_tests: tuple[str, ...] = ()
    failed_tests: tuple[str, ...] = ()
    metrics: dict[str, float] = {}
    details: dict[str, Any] = {}


def parse_report(data: bytes) -> tuple[GateRun, Manifest | None]:
    """Read a report: the run, and the manifest of the files that were run, if it names them.

    Raises InvalidInput for anything malformed.
    """
    document = parse_object(data, bytes_max=limits.EVIDENCE_BYTES, what="report")
    raw = convert(document, _Report, "report")
    run = GateRun(
        result=raw.result,
        suite=_digest(raw.suite, "suite"),
        dataset=_digest(raw.dataset, "dataset"),
        harness=_digest(raw.harness, "harness"),
        finished_at=parse_utc(raw.finished_at, "finishedAt"),
        started_at=None if raw.started_at is None else parse_utc(raw.started_at, "startedAt"),
        passed_tests=raw.passed_tests,
        warned_tests=raw.warned_tests,
        failed_tests=raw.failed_tests,
        metrics=raw.metrics,
    )
    if raw.subject is None:
        return run, None
    return run, manifest((file.name, file.sha256) for file in raw.subject.files)


def _digest(named: _Named, field: str) -> str:
    return check_digest(f"sha256:{named.digest.sha256}", f"{field}.digest.sha256")
