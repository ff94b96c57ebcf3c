"""``audit decisions``: what was decided about a model's actions, by whose votes."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from quorate.audit.records import Action, HoldDecided, Record
from quorate.consensus.epoch import Epoch
from quorate_cli import exit_codes
from quorate_cli.command import Command, Result
from quorate_cli.committee import chain_file
from quorate_cli.decision import votes
from quorate_cli.decision.audit_log import AuditLog
from quorate_cli.decision.votes import Said
from quorate_cli.progress import Progress

SHOWN_MAX: Final = 1_000

_DIGESTS: Final = ("request", "epoch", "nonce", "hold")
_VERIFIED: Final = {
    True: "verified",
    False: "DOES NOT VERIFY",
    None: "not verified: its epoch is not at hand",
}


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "files", metavar="FILE", type=Path, nargs="+", help="audit log; several: oldest first"
    )
    parser.add_argument(
        "--id", help="of a request (req_… or sha256:…) or a hold (default: all decisions)"
    )
    parser.add_argument(
        "--genesis",
        metavar="FILE",
        type=Path,
        help="verify votes with it: the genesis, or the chain that committee verify --out wrote",
    )


def _run(arguments: Namespace, _progress: Progress) -> Result:
    epochs: dict[str, Epoch] = {}
    if arguments.genesis is not None:
        known = chain_file.load(arguments.genesis, None).epochs()
        epochs = {epoch.digest_text: epoch for epoch in known}
    log = AuditLog(arguments.files)
    found: list[dict[str, Any]] = []
    for record in log.records():
        if len(found) < SHOWN_MAX:
            found += _decision(record, arguments.id, epochs)
    problem = log.problem
    if not problem and any(vote["verified"] is False for one in found for vote in one["votes"]):
        problem = "a vote does not verify"
    lines = [text for one in found for text in _text(one)]
    if not found:
        lines = ["no decision about an action is in there"]
    if problem:
        lines.append(f"DENIED: {problem}")
    code = exit_codes.OK if found and not problem else exit_codes.DENIED
    return Result(lines, {"problem": problem, "decisions": found}, code)


def _decision(
    found: Record, wanted: str | None, epochs: Mapping[str, Epoch]
) -> list[dict[str, Any]]:
    """The decision in a record, if it holds one that is wanted."""
    body = found.body
    if not isinstance(body, Action | HoldDecided):
        return []
    names = {body.hold} | ({body.id, body.request} if isinstance(body, Action) else set())
    if wanted is not None and wanted not in names:
        return []
    said = votes.read(body, epochs) if isinstance(body, Action) else ()
    return [{"at": found.at, **msgspec.to_builtins(body), "votes": [_vote(one) for one in said]}]


def _vote(said: Said) -> dict[str, Any]:
    return {
        "member": said.member,
        "verdict": said.verdict,
        "hard": said.hard,
        "reasons": list(said.reasons),
        "verified": said.verified,
    }


def _text(one: dict[str, Any]) -> list[str]:
    if one["kind"] == "hold":
        signers = ", ".join(one["signers"])
        return [f"{one['at']}  hold {one['hold']}: {one['standing']} by {signers}"]
    place = f"call {one['place']} of choice {one['choice']}, {one['tool']}"
    by = f"by {one['decidedBy']} in {one['milliseconds']} ms"
    return [
        f"{one['at']}  {one['id']}: {one['decision'].upper()} ({one['cause']}) {by}",
        f"  {place if one['tool'] else 'text'}: {one['capability']}, {one['actionClass']}, "
        f"{one['band']} ({one['score']})",
        *(f"  {name}: {one[name]}" for name in _DIGESTS if one[name]),
        *(f"  {_said(vote)}" for vote in one["votes"]),
    ]


def _said(vote: dict[str, Any]) -> str:
    why = f" ({', '.join(vote['reasons'])})" if vote["reasons"] else ""
    hard = ", by a rule" if vote["hard"] else ""
    return f"{vote['member']}: {vote['verdict']}{hard}{why} [{_VERIFIED[vote['verified']]}]"


COMMAND = Command(
    words=("audit", "decisions"),
    summary="show what was decided about a model's actions, and by whose votes",
    description=(
        "Show what the sidecar wrote down of each action: its risk, who decided, the votes, and\n"
        "what people decided about holds. The log's chain is checked on the way; with the\n"
        "genesis or the chain, so are the votes of its epochs."
    ),
    examples=("audit decisions --id req_0f3b2c1d00000001 audit-00000001.jsonl",),
    notes="Of one decision, committee explain-decision says more.",
    arguments=_arguments,
    run=_run,
)
