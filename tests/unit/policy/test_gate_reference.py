"""What documents and the schema say of gates is what the code does."""

import json
import re
from pathlib import Path

import pytest

from quorate.api.v1alpha1 import gate as schema
from quorate.cel import compile_condition
from quorate.evidence.intoto import TYPES
from quorate.evidence.intoto.approval import parse
from quorate.predicates import PredicateUri as Uri

REFERENCE = Path(__file__).resolve().parents[3] / "docs/reference"
BLOCK = re.compile(r"```(?:json)?\n(.*?)```", re.DOTALL)


def block(name: str) -> str:
    """The first code block of a page."""
    found = BLOCK.search((REFERENCE / name).read_text("utf-8"))
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize("text", block("conditions.md").strip().splitlines())
def test_documented_conditions_compile(text: str) -> None:
    """Each example of the reference is a condition."""
    assert compile_condition(text, "condition").text == text


def test_the_documented_approval_is_one() -> None:
    """The example of an approval is read as written."""
    assert parse(json.loads(block("predicates.md"))).gates == ("release",)


@pytest.mark.parametrize("kind", list(Uri))
def test_every_type_is_documented(kind: Uri) -> None:
    """The reference names each type that a policy may."""
    text = (REFERENCE / "predicates.md").read_text("utf-8")
    suffix = kind.removeprefix(Uri.CYCLONEDX) if kind.startswith(Uri.CYCLONEDX) else ""
    assert f"`{suffix or kind}`" in text


def test_the_schema_s_rules_are_the_compiler_s() -> None:
    """The API server refuses what compiling would: the same types need suites and conditions."""
    with_suites = {kind for kind, known in TYPES.items() if known.suites}
    with_condition = {kind for kind, known in TYPES.items() if known.needs_condition}
    assert set(schema._WITH_SUITES) == with_suites
    assert set(schema._WITH_CONDITION) == with_condition
    assert {kind for kind, known in TYPES.items() if known.needs_suites} == {Uri.TEST_RESULT}
    assert {kind for kind, known in TYPES.items() if known.draft} == {Uri.EVAL_RESULT}
