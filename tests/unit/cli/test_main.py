"""The command line as a whole: help, exit codes, output forms."""

import json
import re
import shlex
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from quorate.errors import Expired, InvalidInput, QuorateError, SignatureError, Unavailable
from quorate_cli import __main__ as program
from quorate_cli.command import Command, Result
from quorate_cli.commands import FILES, chosen, every
from quorate_cli.parser import build_parser, program_name
from quorate_cli.progress import Progress
from tests.unit.cli.conftest import Quorate


@pytest.mark.parametrize("command", every(), ids=lambda command: " ".join(command.words))
def test_every_command_s_help_has_an_example_and_exit_codes(
    quorate: Quorate, command: Command
) -> None:
    """Help says what is done, shows a line to copy, and documents the exit codes."""
    ran = quorate(*command.words, "--help")
    assert ran.code == 0
    assert re.search(rf"examples?:\n  quorate {' '.join(command.words)}( |\n)", ran.out)
    assert "exit codes:" in ran.out
    assert f"--output {{{','.join(command.forms)}}}" in ran.out


@pytest.mark.parametrize("command", every(), ids=lambda command: " ".join(command.words))
def test_every_example_parses(command: Command) -> None:
    """Each example in the help is a command line this parser accepts."""
    for example in command.examples:
        line = example.split("|")[0].replace("\\\n", " ")
        words = shlex.split(line)
        arguments = build_parser(chosen(words), "quorate").parse_args(words)
        assert arguments.command is command


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["sign"], ["verify", "x", "--key", "k"], ["keygen", "--ou", "x"]],
    ids=["nothing", "unknown", "missing", "no bundle", "abbreviated"],
)
def test_wrong_usage_exits_2(quorate: Quorate, arguments: list[str]) -> None:
    """Usage errors are told apart from denials by their exit code."""
    ran = quorate(*arguments)
    assert ran.code == 2
    assert "usage:" in ran.err


@pytest.mark.parametrize(
    ("invoked", "name"),
    [
        ("/usr/bin/quorate", "quorate"),
        ("kubectl-quorate", "kubectl quorate"),
        ("/opt/kubectl_quorate", "kubectl quorate"),
        ("/x/quorate_cli/__main__.py", "quorate"),
    ],
)
def test_program_is_named_as_it_was_invoked(invoked: str, name: str) -> None:
    """As a kubectl plugin, help shows what the user typed."""
    assert program_name(invoked) == name


def failing(error: BaseException) -> Command:
    """A command that raises."""

    def run(arguments: Namespace, progress: Progress) -> Result:
        raise error

    return Command(("fail",), "s", "d", ("fail",), lambda parser: None, run)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SignatureError("no"), 1),
        (Expired("late"), 1),
        (InvalidInput("bad", field="f", fix="mend"), 2),
        (QuorateError("odd"), 2),
        (FileNotFoundError(2, "No such file or directory", "x"), 2),
        (Unavailable("away"), 3),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_errors_have_documented_exit_codes(
    monkeypatch: pytest.MonkeyPatch, quorate: Quorate, error: BaseException, code: int
) -> None:
    """Each kind of failure has its exit code and one line on standard error, no traceback."""
    monkeypatch.setattr(program, "chosen", lambda words: (failing(error),))
    ran = quorate("fail")
    assert ran.code == code
    assert ran.out == ""
    assert len(ran.err.splitlines()) == 1


def test_errors_of_the_system_name_the_file(
    monkeypatch: pytest.MonkeyPatch, quorate: Quorate
) -> None:
    """A missing file is named first, as in every other error, without the system's number."""
    missing = FileNotFoundError(2, "No such file or directory", "x.key")
    monkeypatch.setattr(program, "chosen", lambda words: (failing(missing),))
    assert quorate("fail").err == "error: x.key: No such file or directory\n"


def test_errors_as_json_name_field_and_fix(
    monkeypatch: pytest.MonkeyPatch, quorate: Quorate
) -> None:
    """Programs get the error as a document on standard output."""
    error = InvalidInput("bad", field="f", fix="mend")
    monkeypatch.setattr(program, "chosen", lambda words: (failing(error),))
    ran = quorate("fail", "--output", "json")
    assert ran.code == 2
    assert ran.document == {"error": {"message": "bad", "field": "f", "fix": "mend"}}


def test_runs_as_a_program(tmp_path: Path) -> None:
    """Started as a process, it prints JSON and exits with the command's code."""
    command = [sys.executable, "-m", "quorate_cli", "keygen", "--output", "json", "--out"]
    first = subprocess.run([*command, tmp_path / "k"], capture_output=True, text=True, check=True)
    assert json.loads(first.stdout)["publicKey"] == str(tmp_path / "k.pub")
    again = subprocess.run([*command, tmp_path / "k"], capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "exists already" in json.loads(again.stdout)["error"]["message"]


def test_only_the_chosen_command_is_imported() -> None:
    """What a person types does not wait for what others need: an HTTP client, the API's models."""
    check = (
        "import sys; from quorate_cli.__main__ import main; main(['keygen', '--help']); "
        "sys.exit(bool({'aiohttp', 'kubernetes', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize(("words", "file"), FILES.items(), ids=" ".join)
def test_every_file_says_what_it_is_listed_under(words: tuple[str, ...], file: str) -> None:
    """The list and the files name the same words, and the longest that fit are chosen."""
    (command,) = chosen([*words, "--help"])
    assert command.words == words
    assert command.run.__module__ == f"quorate_cli.commands.{file}"
    assert chosen([]) == chosen(["--help"]) == every()
