"""The subcommands, a file each. To add one: write its file, list it here.

Only what was asked for is imported: a program that people type must not take a second to begin.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Final

from quorate_cli.command import Command

FILES: Final[Mapping[tuple[str, ...], str]] = {
    ("keygen",): "keygen",
    ("sign",): "sign",
    ("gate",): "gate",
    ("gate", "run"): "gate_run",
    ("gate", "suites"): "gate_suites",
    ("gate", "job"): "gate_job",
    ("gate", "publish"): "gate_publish",
    ("approve",): "approve",
    ("exception", "new"): "exception_new",
    ("exception", "approve"): "exception_approve",
    ("exception", "show"): "exception_show",
    ("verify",): "verify",
    ("model", "manifest"): "model_manifest",
    ("push",): "push",
    ("explain",): "explain",
    ("preview",): "preview",
    ("report",): "report",
    ("inventory",): "inventory",
    ("status",): "status",
    ("doctor",): "doctor",
    ("audit", "verify"): "audit_verify",
    ("audit", "decisions"): "audit_decisions",
    ("hold", "list"): "hold_list",
    ("hold", "approve"): "hold_approve",
    ("hold", "reject"): "hold_reject",
    ("freeze",): "freeze",
    ("freeze", "list"): "freeze_list",
    ("unfreeze",): "unfreeze",
    ("committee", "status"): "committee_status",
    ("committee", "verify"): "committee_verify",
    ("committee", "rotate"): "committee_rotate",
    ("committee", "replace"): "committee_replace",
    ("committee", "resize"): "committee_resize",
    ("committee", "administrators"): "committee_administrators",
    ("committee", "policies"): "committee_policies",
    ("committee", "quarantine"): "committee_quarantine",
    ("committee", "readmit"): "committee_readmit",
    ("committee", "recover"): "committee_recover",
    ("committee", "show"): "committee_show",
    ("committee", "sign"): "committee_sign",
    ("committee", "apply"): "committee_apply",
}
"""Modules here, by the words that are typed."""
_WORDS_MAX: Final = max(map(len, FILES))


def chosen(words: Sequence[str]) -> tuple[Command, ...]:
    """The one command that ``words`` begin with; all of them if there is none, for help."""
    for count in range(_WORDS_MAX, 0, -1):
        file = FILES.get(tuple(words[:count]))
        if file is not None:
            return (_command(file),)
    return every()


@cache
def every() -> tuple[Command, ...]:
    """All commands, as they are listed."""
    return tuple(map(_command, FILES.values()))


def _command(file: str) -> Command:
    command = import_module(f"{__name__}.{file}").COMMAND
    assert isinstance(command, Command)  # noqa: S101 - a file's fault, not a person's
    return command
