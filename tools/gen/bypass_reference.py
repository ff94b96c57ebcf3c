"""docs/reference/bypass-classes.md: each class of ways around the door, and who tries it."""

import ast
from collections import defaultdict
from pathlib import Path

from tests.bypass.catalogue import CLASSES

_HEAD = """# Ways around the door

Every class of bypass that was found in admission controls for images, models and attestations, what
stops it here, and the tests that try it on a real API server: `make bypass` runs them, prints this
list with what came of it, and writes `build/bypass.json`. E: evidence and admission. P: from
published vulnerabilities. DENY: refused. DETECT: cannot be prevented, found within 30 seconds.

| class | what an attacker does | what stops it | expected | tests |
|---|---|---|---|---|
"""


def tests_by_class(root: Path) -> dict[str, list[str]]:
    """The marked tests, as ``path::name``, by the key of the class they try."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((root / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith(
                    "mark.bypass"
                ):
                    where = f"{path.relative_to(root / 'tests').as_posix()}::{node.name}"
                    for key in decorator.args:
                        found[str(ast.literal_eval(key))].append(where)
    return found


def render(root: Path) -> str:
    """The page."""
    tests = tests_by_class(root)
    rows = []
    for found in CLASSES.values():
        tried = "<br>".join(f"`{test}`" for test in tests.get(found.key, [])) or "**not tested**"
        cells = (f"{found.key} {found.title}", found.attack, found.stop, found.expected, tried)
        rows.append(f"| {' | '.join(cells)} |")
    return _HEAD + "\n".join(rows) + "\n"
