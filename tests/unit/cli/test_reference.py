"""The command reference is what ``--help`` is made of, and its examples work."""

import re
import shlex
from pathlib import Path

import pytest

from quorate_cli.commands import chosen, every
from quorate_cli.parser import build_parser
from quorate_cli.reference import reference

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_reference_is_up_to_date() -> None:
    """docs/reference/cli.md is what ``python -m quorate_cli.reference`` prints."""
    assert (DOCS / "reference" / "cli.md").read_text("utf-8") == reference()


def test_every_argument_has_a_description() -> None:
    """No row of the reference is empty."""
    assert "| None" not in reference()
    assert re.search(r"\| `[^`]+` \|  ?\|", reference()) is None


@pytest.mark.parametrize(
    "page",
    [
        "sign-and-gate.md",
        "explain-a-denial.md",
        "preview-a-policy.md",
        "inventory.md",
        "run-a-gate.md",
        "write-a-suite.md",
    ],
)
def test_command_lines_in_guides_parse(page: str) -> None:
    """What a guide tells a reader to type is a command line of this version."""
    text = (DOCS / "howto" / page).read_text("utf-8")
    lines = [
        line.split("|")[0]
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for line in block.replace("\\\n", " ").splitlines()
        if re.match(r"(kubectl )?quorate ", line)
    ]
    assert lines
    for line in lines:
        words = shlex.split(line, comments=True)
        words = words[words.index("quorate") + 1 :]
        assert build_parser(chosen(words), "quorate").parse_args(words).command in every()


def test_links_in_guides_lead_somewhere() -> None:
    """Every relative link of the guides is a file."""
    for page in (DOCS / "howto").glob("*.md"):
        for link in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name}: {link}"
