"""The argument parser, built from the registry of commands."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from quorate_cli import exit_codes
from quorate_cli.command import Command

_FORMS = {
    ("text", "json"): "text for people, json for programs",
    ("table", "json", "yaml"): "a table for people, json or yaml for programs",
    ("table", "json", "yaml", "csv"): "a table for people, json or yaml for programs, csv to sort",
    ("yaml", "json", "table"): "objects to apply as yaml or json, or a table for people",
}
_GROUPS = {
    "gate": "safety gates",
    "model": "describe models",
    "audit": "read audit logs",
    "committee": "look at the committee, and propose epoch records for people to sign",
    "freeze": "stop something at once",
    "hold": "decide about actions that are held",
    "exception": "lift one requirement for one workload, for some days",
}


def program_name(invoked_as: str) -> str:
    """``kubectl quorate`` when started as the kubectl plugin, else ``quorate``."""
    name = Path(invoked_as).name
    return "kubectl quorate" if name.startswith(("kubectl-", "kubectl_")) else "quorate"


class _Parser(argparse.ArgumentParser):
    """Reads two words as one command where the first by itself is one as well."""

    joined: frozenset[tuple[str, ...]] = frozenset()

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As the base class, the first two words joined if they name a command."""
        words = list(sys.argv[1:] if args is None else args)
        if tuple(words[:2]) in self.joined:
            words[:2] = [" ".join(words[:2])]
        return super().parse_known_args(words, namespace)


def build_parser(commands: tuple[Command, ...], program: str) -> argparse.ArgumentParser:
    """A parser whose result has ``command``, the chosen :class:`Command`."""
    parser = _Parser(
        prog=program,
        description=(
            "Sign AI models and the results of their safety gates, verify both, and ask a cluster\n"
            "why a model's pods run or do not. Commands that take no --kubeconfig need no network."
        ),
        epilog=exit_codes.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top = parser.add_subparsers(
        metavar="COMMAND", required=True, parser_class=argparse.ArgumentParser
    )
    alone = {command.words[0] for command in commands if len(command.words) == 1}
    parser.joined = frozenset(
        command.words
        for command in commands
        if len(command.words) > 1 and command.words[0] in alone
    )
    groups = {}
    for command in commands:
        *group, name = command.words
        holder = top
        if command.words in parser.joined:
            name = " ".join(command.words)
        elif group:
            word = group[0]
            if word not in groups:
                grouped = top.add_parser(word, help=_GROUPS[word], allow_abbrev=False)
                groups[word] = grouped.add_subparsers(metavar="COMMAND", required=True)
            holder = groups[word]
        sub = holder.add_parser(
            name,
            help=command.summary,
            description=command.description,
            epilog=_epilog(command, program),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.arguments(sub)
        sub.add_argument(
            "-o",
            "--output",
            choices=command.forms,
            default=command.forms[0],
            help=f"{_FORMS.get(command.forms, 'form')} (default: {command.forms[0]})",
        )
        sub.set_defaults(command=command)
    return parser


def _epilog(command: Command, program: str) -> str:
    """What stands under the options: lines to copy, notes, exit codes."""
    title = "example" if len(command.examples) == 1 else "examples"
    lines = [f"{title}:", *(f"  {program} {example}" for example in command.examples), ""]
    if command.notes:
        lines += ["notes:", *(f"  {line}" for line in command.notes.splitlines()), ""]
    return "\n".join([*lines, exit_codes.EPILOG])
