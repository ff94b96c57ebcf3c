"""``hold list``: what waits for people, as the audit logs of pods say."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, Final

from quorate.audit.records import Action, HoldDecided, Record
from quorate_cli import exit_codes
from quorate_cli.command import Command, Result
from quorate_cli.decision.audit_log import AuditLog
from quorate_cli.layout import table, terminal_width
from quorate_cli.progress import Progress

HOLDS_MAX: Final = 10_000
_WAITING: Final = "Waiting"
_USED: Final = "Used"


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "files", metavar="FILE", type=Path, nargs="+", help="audit log; several: oldest first"
    )
    parser.add_argument("--all", action="store_true", help="also what was decided")


def _run(arguments: Namespace, _progress: Progress) -> Result:
    log = AuditLog(arguments.files)
    holds: dict[str, dict[str, Any]] = {}
    for record in log.records():
        _take(record, holds)
    problem = log.problem
    shown = [one for one in holds.values() if arguments.all or one["standing"] == _WAITING]
    lines = _text(shown) or ["nothing waits for people"]
    if problem:
        lines.append(f"DENIED: {problem}")
    document = {"problem": problem, "holds": shown}
    return Result(lines, document, exit_codes.DENIED if problem else exit_codes.OK)


def _take(found: Record, holds: dict[str, dict[str, Any]]) -> None:
    """What a record says of a hold. The oldest go when there are HOLDS_MAX."""
    body = found.body
    if isinstance(body, HoldDecided) and body.hold in holds:
        holds[body.hold] |= {"standing": body.standing, "signers": list(body.signers)}
    if not isinstance(body, Action) or not body.hold:
        return
    if body.decision == "approve" and body.hold in holds:
        holds[body.hold]["standing"] = _USED
    elif body.decision == "hold":
        known = holds.pop(body.hold, None)
        waits = known is not None and known["standing"] == _WAITING
        holds[body.hold] = known if known is not None and waits else _held(found.at, body)
        if len(holds) > HOLDS_MAX:
            del holds[next(iter(holds))]


def _held(at: str, action: Action) -> dict[str, Any]:
    return {
        "hold": action.hold,
        "since": at,
        "standing": _WAITING,
        "signers": [],
        "request": action.id,
        "action": action.tool or "text",
        "capability": action.capability,
        "actionClass": action.action_class,
        "band": action.band,
        "score": action.score,
        "cause": action.cause,
        "approvals": action.approvals,
        "others": action.others,
    }


def _text(holds: list[dict[str, Any]]) -> list[str]:
    rows = [
        [
            one["hold"],
            one["since"],
            one["standing"],
            f"{one['action']} ({one['capability']}, {one['actionClass']}, {one['band']}): "
            f"{one['cause']}, {one['approvals']} approved, {one['others']} did not",
        ]
        for one in holds
    ]
    header = ("HOLD", "SINCE", "STANDING", "ACTION")
    return table(rows, max(terminal_width(), 200), header=header)


COMMAND = Command(
    words=("hold", "list"),
    summary="list the actions that wait for people, from audit logs",
    description=(
        "List what pods hold until people decide, as their audit logs say; the log's chain is\n"
        "checked on the way. A hold lives in its pod's memory and ends by itself: one that is\n"
        "listed may be over by now, and a pod that started again holds nothing."
    ),
    examples=("hold list audit-00000001.jsonl", "hold list --all audit-00000001.jsonl"),
    notes="Exit code 1: the log's chain is broken. For the votes: committee explain-decision.",
    arguments=_arguments,
    run=_run,
    forms=("table", "json", "yaml"),
)
