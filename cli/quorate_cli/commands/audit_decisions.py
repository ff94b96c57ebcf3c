"""``audit decisions``: what was decided about a model's actions, by whose votes."""

import base64
import binascii
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from quorate import limits
from quorate.audit.chain import Verifier
from quorate.audit.records import LINE_BYTES, Action, HoldDecided, Record
from quorate.consensus import wire
from quorate.consensus.epoch import Epoch
from quorate.consensus.keys import KeySignatures
from quorate.consensus.signing import verify_vote
from quorate.consensus.wire import Ballot, Vote
from quorate.errors import InvalidInput, QuorateError
from quorate.genesis import GENESIS_BYTES_MAX, parse_genesis
from quorate_cli import exit_codes
from quorate_cli.command import Command, Result
from quorate_cli.files import read_file
from quorate_cli.progress import Progress

SHOWN_MAX: Final = 1_000
VOTES_BYTES: Final = 64 * limits.KIB

_DIGESTS: Final = ("request", "epoch", "nonce", "hold")
_VERIFIED: Final = {
    True: "verified",
    False: "DOES NOT VERIFY",
    None: "not verified: its epoch is not at hand",
}
_record = msgspec.json.Decoder(Record)


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "files", metavar="FILE", type=Path, nargs="+", help="audit log; several: oldest first"
    )
    parser.add_argument(
        "--id", help="of a request (req_… or sha256:…) or a hold (default: all decisions)"
    )
    parser.add_argument(
        "--genesis", metavar="FILE", type=Path, help="verify votes of the genesis's epoch with it"
    )


def _run(arguments: Namespace, _progress: Progress) -> Result:
    epoch = None
    if arguments.genesis is not None:
        epoch = parse_genesis(read_file(arguments.genesis, GENESIS_BYTES_MAX))
    verifier = Verifier(None)
    found: list[dict[str, Any]] = []
    for path in arguments.files:
        for line in _lines(path):
            verifier.feed(line)
            if len(found) < SHOWN_MAX:
                found += _decision(line, arguments.id, epoch)
    broken = verifier.report().broken
    problem = broken.message if broken else ""
    if not problem and any(vote["verified"] is False for one in found for vote in one["votes"]):
        problem = "a vote does not verify"
    lines = [text for one in found for text in _text(one)]
    if not found:
        lines = ["no decision about an action is in there"]
    if problem:
        lines.append(f"DENIED: {problem}")
    code = exit_codes.OK if found and not problem else exit_codes.DENIED
    return Result(lines, {"problem": problem, "decisions": found}, code)


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(LINE_BYTES + 2):
            yield line


def _decision(line: bytes, wanted: str | None, epoch: Epoch | None) -> list[dict[str, Any]]:
    """The decision in a line, if it holds one that is wanted."""
    try:
        found = _record.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
    body = found.body
    if not isinstance(body, Action | HoldDecided):
        return []
    names = {body.hold} | ({body.id, body.request} if isinstance(body, Action) else set())
    if wanted is not None and wanted not in names:
        return []
    votes = _votes(body, epoch) if isinstance(body, Action) else []
    return [{"at": found.at, **msgspec.to_builtins(body), "votes": votes}]


def _votes(action: Action, epoch: Epoch | None) -> list[dict[str, Any]]:
    """Each vote in a record. ``verified``: None where its epoch is not at hand."""
    if not action.votes:
        return []
    try:
        data = base64.b64decode(action.votes, validate=True)
        votes = wire.decode(data, wire.Certificate, bytes_max=VOTES_BYTES).votes
        return [_vote(vote, action, epoch) for vote in votes]
    except (binascii.Error, InvalidInput):
        return [{"member": "", "verdict": "", "hard": False, "reasons": [], "verified": False}]


def _vote(vote: Vote, action: Action, epoch: Epoch | None) -> dict[str, Any]:
    ballot = wire.decode(vote.ballot.body, Ballot)
    verified = None
    if epoch is not None and epoch.digest_text == action.epoch:
        verified = _is_about(ballot, action)
        try:
            verify_vote(vote, epoch, KeySignatures())
        except QuorateError:
            verified = False
    return {
        "member": ballot.member,
        "verdict": ballot.verdict.name,
        "hard": ballot.hard,
        "reasons": list(ballot.reasons),
        "verified": verified,
    }


def _is_about(ballot: Ballot, action: Action) -> bool:
    said = (f"sha256:{ballot.request.hex()}", ballot.nonce.hex(), ballot.tier.value)
    return said == (action.request, action.nonce, action.decided_by)


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
        "genesis, so are the votes of its epoch."
    ),
    examples=("audit decisions --id req_0f3b2c1d00000001 audit-00000001.jsonl",),
    arguments=_arguments,
    run=_run,
)
