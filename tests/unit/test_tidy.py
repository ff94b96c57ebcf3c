"""STYLE.md, as far as a test can hold it."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("core", "operator", "webhook", "sidecar", "consensus", "cli", "training")
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}


def tracked(*patterns: str) -> list[Path]:
    """Files of the tree: tracked ones, and new ones that are not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / line for line in listing.stdout.splitlines() if (ROOT / line).is_file()]


PYTHON = tracked("*.py")
PRODUCT = [path for path in PYTHON if path.relative_to(ROOT).parts[0] in ROOMS]


def test_room_folders_are_no_packages() -> None:
    """A room folder with an __init__.py would shadow other packages."""
    assert [room for room in ROOMS if (ROOT / room / "__init__.py").exists()] == []


def test_files_are_short_and_named_for_something() -> None:
    """No file over the bound, none named for being a drawer."""
    long = [p for p in PYTHON if len(p.read_text("utf-8").splitlines()) > FILE_LINES_MAX]
    drawers = [p for p in PYTHON if p.stem in BANNED_NAMES or p.parent.name in BANNED_NAMES]
    assert (long, drawers) == ([], [])


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a file."""
    tree = ast.parse(path.read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def test_functions_are_short() -> None:
    """No function over the bound."""
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in PYTHON
        for node in functions(path)
        if (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_modules_say_what_they_are() -> None:
    """Every module of the product has a docstring."""
    silent = [
        str(path.relative_to(ROOT))
        for path in PRODUCT
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert silent == []


def test_tests_say_what_must_hold() -> None:
    """Every test function has a docstring."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in tracked("tests/**/test_*.py")
        for node in functions(path)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []


# The words are put together here so that this file does not hold them.
PRIVATE = [
    r"(?<![\w.-])/(?:" + "|".join(("wo" + "rk", "fa" + "rm", "ro" + "ot")) + r")/",
    "pypi" + r"\.org",
    "files.python" + "hosted",
    "proxy.golang" + r"\.org",
    "registry.npm" + "js",
]


@pytest.mark.parametrize("pattern", PRIVATE)
def test_no_private_paths_or_registry_hosts(pattern: str) -> None:
    """No path of one machine, no package registry's host, anywhere in the tree."""
    found = [
        f"{path.relative_to(ROOT)}: {match.group(0)}"
        for path in tracked()
        if path.suffix not in {".sum", ".png", ".safetensors"}
        and (match := re.search(pattern, path.read_text("utf-8", errors="replace")))
    ]
    assert found == []
