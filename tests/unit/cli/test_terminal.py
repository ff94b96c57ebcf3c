"""What reaches a terminal: progress, and nothing that could steer it."""

import io
import os
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

import pytest

from quorate.errors import InvalidInput
from quorate.limits import MIB
from quorate_cli import __main__ as program
from quorate_cli.command import Command, Result
from quorate_cli.printable import encodable, printable
from quorate_cli.progress import Progress
from tests.unit.cli.conftest import Quorate


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def test_short_work_is_silent() -> None:
    """Nothing is printed for a model that is hashed in a moment."""
    stream = io.StringIO()
    Progress(stream)(1, 10 * MIB)
    assert stream.getvalue() == ""


def test_quiet_is_silent() -> None:
    """JSON output is not disturbed."""
    stream = Terminal()
    Progress(stream, quiet=True)(1, 1000 * MIB)
    assert stream.getvalue() == ""


def test_a_log_gets_a_line_every_ten_seconds() -> None:
    """Between two lines there is time, and the end is always said."""
    stream = io.StringIO()
    seconds = 0.0
    show = Progress(stream, clock=lambda: 100 + seconds)
    for second in range(21):
        seconds = second
        show(second * 50 * MIB, 2000 * MIB)
    show(2000 * MIB, 2000 * MIB)
    assert stream.getvalue().splitlines() == [
        "hashed 0 of 2,000 MiB (0 %)",
        "hashed 500 of 2,000 MiB (25 %)",
        "hashed 1,000 of 2,000 MiB (50 %)",
        "hashed 2,000 of 2,000 MiB (100 %)",
    ]


def test_a_terminal_is_updated_in_place() -> None:
    """One line is rewritten and ends with a line break."""
    stream = Terminal()
    show = Progress(stream, clock=iter([100.0, 101.0]).__next__)
    show(0, 100 * MIB)
    show(100 * MIB, 100 * MIB)
    assert stream.getvalue() == "hashed 0 of 100 MiB (0 %)\rhashed 100 of 100 MiB (100 %)\n"


def test_control_characters_become_escapes() -> None:
    """Escape sequences, direction marks and lone surrogates are shown, not obeyed."""
    assert printable("a\x1b[2J\u202e\udcff\r") == "a\\x1b[2J\\u202e\\udcff\\r"
    assert printable("größe\t模型\n") == "größe\t模型\n"


@pytest.mark.parametrize("fails", [True, False])
def test_no_output_steers_the_terminal(
    monkeypatch: pytest.MonkeyPatch, quorate: Quorate, fails: bool
) -> None:
    """Neither an error nor a result passes on what a hostile document holds."""

    def run(arguments: Namespace, _progress: Progress) -> Result:
        if fails:
            raise InvalidInput("bad", field="\x1b]0;owned\x07")
        return Result(["\x1b]0;owned\x07"])

    def arguments(parser: ArgumentParser) -> None:
        parser.set_defaults()

    command = Command(("show",), "s", "d", ("show",), arguments, run)
    monkeypatch.setattr(program, "chosen", lambda words: (command,))
    ran = quorate("show")
    assert "\x1b" not in ran.out + ran.err
    assert "owned" in ran.out + ran.err


def test_a_directory_name_that_is_not_utf8_is_reported(quorate: Quorate, tmp_path: Path) -> None:
    """A name that has no text form is an error message, not a crash."""
    ran = quorate("verify", f"{tmp_path}/\udcff", "--bundle", "b", "--key", "k")
    assert ran.code == 2


def test_terminals_that_know_ascii_only() -> None:
    """Signs get a plain form and foreign letters an escape; nothing raises."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert encodable("✓ done … ü", stream) == "+ done ... \\xfc"
    assert encodable("✓ done", io.TextIOWrapper(io.BytesIO(), encoding="utf-8")) == "✓ done"


def test_reader_that_had_enough(tmp_path: Path) -> None:
    """Output into a pipe that was closed, as by ``head``, leaves no traceback."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "quorate_cli", "keygen", "--out", str(tmp_path / "k")]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
