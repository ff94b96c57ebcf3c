"""Writes the report that a gate is signed over: what was run, on which files, and the outcome."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo_evaluation.dataset import Dataset
from demo_evaluation.judge import Outcome
from demo_evaluation.suite import Suite

HARNESS_NAME = "first-light-evaluation"
READ_BYTES = 1024 * 1024


def make_report(
    *,
    suite: Suite,
    dataset: Dataset,
    harness_sha256: str,
    model: Path,
    started_at: datetime,
    finished_at: datetime,
    outcomes: Sequence[Outcome],
) -> dict[str, Any]:
    """Returns the report as JSON values; PASSED only when every test passed."""
    passed = [outcome.test.name for outcome in outcomes if outcome.passed]
    failed = [outcome.test.name for outcome in outcomes if not outcome.passed]
    return {
        "suite": _named(suite.name, suite.sha256),
        "dataset": _named(dataset.name, dataset.sha256),
        "harness": _named(HARNESS_NAME, harness_sha256),
        "subject": {"files": model_files(model)},
        "startedAt": _rfc3339(started_at),
        "finishedAt": _rfc3339(finished_at),
        "result": "PASSED" if passed and not failed else "FAILED",
        "passedTests": passed,
        "failedTests": failed,
        "metrics": {outcome.test.name: round(outcome.share, 4) for outcome in outcomes}
        | {"questions": len(dataset.questions)},
    }


def model_files(model: Path) -> list[dict[str, str]]:
    """Returns name and SHA-256 of every file of a model directory, by name.

    Raises OSError when something in it is neither a regular file nor a directory.
    """
    files = []
    for path in sorted(model.rglob("*")):
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise OSError(f"{path} is not a regular file")
        if path.is_file():
            files.append({"name": path.relative_to(model).as_posix(), "sha256": sha256_file(path)})
    return files


def harness_sha256(sources: Iterable[Path], root: Path) -> str:
    """Returns one digest of the sources: of their names below root and contents, by name."""
    lines = sorted(f"{path.relative_to(root).as_posix()} {sha256_file(path)}\n" for path in sources)
    return hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()


def sha256_file(path: Path) -> str:
    """Returns the hexadecimal SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _named(name: str, sha256: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}}


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
