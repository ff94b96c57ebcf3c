"""The registry of subcommands, a file each. To add one: write its file, list it here."""

from quorate_cli.command import Command
from quorate_cli.commands import (
    approve,
    audit_verify,
    doctor,
    exception_approve,
    exception_new,
    exception_show,
    explain,
    gate,
    keygen,
    model_manifest,
    preview,
    push,
    report,
    sign,
    status,
    verify,
)

COMMANDS: tuple[Command, ...] = (
    keygen.COMMAND,
    sign.COMMAND,
    gate.COMMAND,
    approve.COMMAND,
    exception_new.COMMAND,
    exception_approve.COMMAND,
    exception_show.COMMAND,
    verify.COMMAND,
    model_manifest.COMMAND,
    push.COMMAND,
    explain.COMMAND,
    preview.COMMAND,
    report.COMMAND,
    status.COMMAND,
    doctor.COMMAND,
    audit_verify.COMMAND,
)
