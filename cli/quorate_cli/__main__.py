"""Parse the command line, run one command, print its result, return its exit code."""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

import yaml

from quorate.errors import EvidenceError, QuorateError, Unavailable
from quorate_cli import exit_codes
from quorate_cli.command import Command, Result
from quorate_cli.commands import chosen
from quorate_cli.parser import build_parser, program_name
from quorate_cli.printable import encodable, printable
from quorate_cli.progress import Progress

INTERRUPTED = 130
"""What a shell reports for a program that was interrupted from the keyboard."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (default: the process's own); returns the exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    parser = build_parser(chosen(words), program_name(sys.argv[0]))
    try:
        arguments = parser.parse_args(words)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else exit_codes.USAGE
    form = arguments.output
    as_json = form == "json"
    command: Command = arguments.command
    try:
        result = command.run(arguments, Progress(quiet=as_json))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except (QuorateError, OSError) as error:
        return _fail(error, as_json=as_json)
    _say(_formed(result, form), sys.stdout)
    return result.exit_code


def _formed(result: Result, form: str) -> str:
    """The result as ``--output`` asks for it."""
    if form == "json":
        return json.dumps(result.document, indent=2)
    if form == "yaml":
        # What ``json`` makes of it first: dates are text in both.
        return yaml.safe_dump(result.document, sort_keys=False, width=100).rstrip("\n")
    text = result.texts.get(form)
    return printable("\n".join(result.lines) if text is None else text)


def _say(text: str, stream: TextIO) -> None:
    try:
        print(encodable(text, stream), file=stream, flush=True)
    except BrokenPipeError:
        # Whoever read has enough, as with ``| head``. What Python flushes at exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _fail(error: QuorateError | OSError, *, as_json: bool) -> int:
    if as_json:
        _say(json.dumps({"error": _document(error)}, indent=2), sys.stdout)
    else:
        _say(printable(f"error: {_line(error)}"), sys.stderr)
    if isinstance(error, EvidenceError):
        return exit_codes.DENIED
    if isinstance(error, Unavailable):
        return exit_codes.UNREACHABLE
    return exit_codes.USAGE


def _line(error: QuorateError | OSError) -> str:
    if isinstance(error, QuorateError) or not (error.filename and error.strerror):
        return str(error)
    return f"{error.filename}: {error.strerror}"


def _document(error: QuorateError | OSError) -> dict[str, Any]:
    if isinstance(error, QuorateError):
        return {"message": error.message, "field": error.field, "fix": error.fix}
    return {"message": error.strerror or str(error), "field": error.filename or "", "fix": ""}


if __name__ == "__main__":
    sys.exit(main())
