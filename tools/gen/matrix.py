"""The test matrix: which test proves which requirement, read from the marks in the sources."""

import ast
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

LEVELS = ("unit", "property", "sim", "contract", "integration", "bypass", "e2e")
_HEAD = """# Test matrix

Which test proves which requirement. Written by `make crds` from `@pytest.mark.requirement`.

| requirement | level | test | what must hold |
|---|---|---|---|
"""


@dataclass(frozen=True, order=True)
class Proof:
    """One test that proves one requirement."""

    requirement: str
    level: str
    test: str
    claim: str


def proofs(root: Path) -> list[Proof]:
    """Every marked test under ``root/tests``, sorted."""
    found: list[Proof] = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        level = path.relative_to(root / "tests").parts[0]
        tree = ast.parse(path.read_text("utf-8"))
        constants = _constants(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                where = f"{path.relative_to(root).as_posix()}::{node.name}"
                claim = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
                found += [
                    Proof(text, level, where, claim) for text in _requirements(node, constants)
                ]
    return sorted(found)


def _constants(tree: ast.Module) -> dict[str, str]:
    """Module-level names that hold a text: one requirement may mark several tests."""
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _requirements(
    node: ast.FunctionDef | ast.AsyncFunctionDef, constants: dict[str, str]
) -> list[str]:
    """Texts of the requirement marks on a test; a mark that is not a plain text is an error."""
    marks = [
        decorator.args[0]
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call)
        and ast.unparse(decorator.func).endswith("mark.requirement")
    ]
    return [
        constants[mark.id] if isinstance(mark, ast.Name) else str(ast.literal_eval(mark))
        for mark in marks
    ]


def render(root: Path) -> str:
    """The page: a table by requirement, and a count by level."""
    found = proofs(root)
    rows = [
        f"| {p.requirement} | {p.level} | `{p.test}` | {p.claim} |".replace("\n", " ")
        for p in found
    ]
    counts: dict[str, int] = defaultdict(int)
    for proof in found:
        counts[proof.level] += 1
    summary = ", ".join(f"{counts[level]} {level}" for level in LEVELS if counts[level])
    return _HEAD + "\n".join(rows) + f"\n\n{len(found)} proofs: {summary}.\n"
