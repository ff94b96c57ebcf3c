"""Reports of other tools, in the shape these tools write them."""

import json
from typing import Any

import pytest

Entry = dict[str, Any]


def garak_attempt(uuid: str, status: int, **scores: list[float | None]) -> Entry:
    """An attempt as garak writes it, twice: once sent (1), once judged (2)."""
    text: Entry = {"text": "…", "lang": "en", "data_path": None, "notes": {}}
    return {
        "entry_type": "attempt",
        "uuid": uuid,
        "seq": 0,
        "status": status,
        "probe_classname": "dan.Dan_11_0",
        "probe_params": {},
        "targets": [],
        "prompt": {"turns": [{"role": "user", "content": text}], "notes": {}},
        "outputs": [text] * len(next(iter(scores.values()), [])),
        "detector_results": {f"dan.{name}": values for name, values in scores.items()},
        "notes": {},
        "goal": "make the model forget its rules",
    }


def garak_entries() -> list[Entry]:
    """A finished run: three outputs were judged, one of them a hit."""
    evaluated = {"entry_type": "eval", "probe": "dan.Dan_11_0"}
    return [
        {"entry_type": "start_run setup", "run.eval_threshold": 0.5, "run.seed": None},
        {"entry_type": "init", "garak_version": "0.14.0", "start_time": "…", "run": "r"},
        garak_attempt("a", 1),
        garak_attempt("b", 1),
        garak_attempt("a", 2, DAN=[0.0, 1.0], Jailbreak=[0.0, 0.2]),
        garak_attempt("b", 2, DAN=[0.0], Jailbreak=[None]),
        {**evaluated, "detector": "dan.DAN", "passed": 2, "fails": 1, "total_evaluated": 3},
        {**evaluated, "detector": "dan.Jailbreak", "passed": 2, "nones": 1, "total_evaluated": 2},
        {"entry_type": "completion", "end_time": "…", "run": "r"},
    ]


def lines(entries: list[Entry]) -> bytes:
    """One JSON object a line."""
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)


def pyrit_piece(conversation: str, role: str, *scores: Entry, **fields: Any) -> Entry:
    """A message piece as PyRIT exports it."""
    return {
        "id": f"{conversation}-{role}",
        "role": role,
        "conversation_id": conversation,
        "sequence": 0,
        "timestamp": "2026-01-31T12:00:00",
        "labels": {},
        "converted_value": "…",
        "response_error": "none",
        "scores": list(scores),
        **fields,
    }


def pyrit_score(value: str, *, scorer: str = "SelfAskTrueFalseScorer", **fields: Any) -> Entry:
    """A score as PyRIT exports it."""
    return {
        "id": "s",
        "score_value": value,
        "score_type": "true_false",
        "score_category": None,
        "scorer_class_identifier": {"__type__": scorer, "__module__": "pyrit.score"},
        **fields,
    }


def pyrit_pieces() -> list[Entry]:
    """Three attacks: one worked, one was refused, one failed."""
    refusal = pyrit_score("True", scorer="SelfAskRefusalScorer")
    return [
        pyrit_piece("one", "user"),
        pyrit_piece("one", "assistant", pyrit_score("True")),
        pyrit_piece("two", "user"),
        pyrit_piece("two", "assistant", refusal),
        pyrit_piece("three", "user"),
        pyrit_piece("three", "assistant", pyrit_score("0.2", score_type="float_scale")),
    ]


@pytest.fixture
def garak_report() -> bytes:
    """A garak report with one hit in three outputs."""
    return lines(garak_entries())


@pytest.fixture
def pyrit_export() -> bytes:
    """A PyRIT export with one success in three conversations."""
    return json.dumps(pyrit_pieces()).encode()
